export const sessionSql = {
  insertSession: `
    INSERT INTO sessions
      (id, user_id, token_hash, provider, social_id, device, address,
       create_time, last_seen_time, expire_time)
    VALUES
      (:id, :userId, :tokenHash, :provider, :socialId, :device, :address,
       :now, :now, :expireTime)
    RETURNING *`,
  sessionByToken: `
    SELECT * FROM sessions
    WHERE expire_time > :now
      AND (token_hash = :tokenHash
        OR (old_token_hash = :tokenHash AND old_token_expire_time > :now))`,
  checkedSession: `
    SELECT
      user_id, email, state, first_name, last_name, picture, locale, attributes,
      password_hash IS NOT NULL, users.create_time, update_time,
      sessions.id, provider, social_id, device, address,
      sessions.create_time, last_seen_time, expire_time, end_time,
      token_hash <> :tokenHash, successor_salt
    FROM sessions JOIN users ON users.id = user_id
    WHERE expire_time > :now
      AND (token_hash = :tokenHash
        OR (old_token_hash = :tokenHash AND old_token_expire_time > :now))`,
  liveSession: `
    SELECT * FROM sessions WHERE id = :id AND expire_time > :now AND end_time IS NULL`,
  renewSession: `
    UPDATE sessions SET
      old_token_hash = token_hash, old_token_expire_time = :oldTokenExpireTime,
      successor_salt = :salt, token_hash = :newTokenHash,
      last_seen_time = :now, expire_time = :expireTime
    WHERE id = :id`,
  seeSession: "UPDATE sessions SET last_seen_time = :now WHERE id = :id",
  deleteSession: "DELETE FROM sessions WHERE id = :id",
  liveSessionsOfUser: `
    SELECT * FROM sessions
    WHERE user_id = :userId AND expire_time > :now AND end_time IS NULL
    ORDER BY create_time, rowid`,
  // The newest first, from a place on.
  listSessions: `
    SELECT *, rowid AS place FROM sessions
    WHERE user_id = :userId AND expire_time > :now AND end_time IS NULL
      AND (create_time, rowid) < (:beforeTime, :beforeOrder)
    ORDER BY create_time DESC, rowid DESC LIMIT :limit`,
  liveSessionsOfAccount: `
    SELECT * FROM sessions
    WHERE provider = :provider AND social_id = :socialId
      AND expire_time > :now AND end_time IS NULL`,
  closeSessionsOfUser: `
    UPDATE sessions SET end_time = :now WHERE user_id = :userId AND end_time IS NULL`,
} as const;
