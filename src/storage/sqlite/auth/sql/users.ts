/** Users and their activation codes. */
export const userSql = {
  userById: "SELECT * FROM users WHERE id = :userId",
  userByEmail: "SELECT * FROM users WHERE email_key = :emailKey",
  insertUser: `
    INSERT INTO users (id, email, email_key, state, create_time, update_time)
    VALUES (:userId, :email, :emailKey, :state, :now, :now)`,
  insertUserIfNew: `
    INSERT INTO users (id, email, email_key, state, create_time, update_time)
    VALUES (:userId, :email, :emailKey, :state, :now, :now)
    ON CONFLICT DO NOTHING`,
  // A pending user has not proved the email, so that a password of before does not count.
  activateUser: `
    UPDATE users SET
      state = 'active',
      password_hash = CASE state WHEN 'pending' THEN NULL ELSE password_hash END,
      update_time = :now
    WHERE id = :userId AND state <> 'active'`,
  deactivateUser: `
    UPDATE users SET state = 'deactivated', update_time = :now
    WHERE id = :userId AND state <> 'deactivated'`,
  deleteUser: "DELETE FROM users WHERE id = :userId",
  setProfile: `
    UPDATE users SET
      first_name = :firstName, last_name = :lastName, picture = :picture, locale = :locale,
      attributes = :attributes, update_time = :now
    WHERE id = :userId`,
  touchUser: "UPDATE users SET update_time = :now WHERE id = :userId",
  accountsOfUser: `
    SELECT provider, social_id, email, email_verified, link_time, confirm_time, ask_time
    FROM social_accounts WHERE user_id = :userId ORDER BY link_time, rowid`,

  replaceCode: `
    INSERT INTO activation_codes (user_id, code_hash, expire_time)
    VALUES (:userId, :codeHash, :codeExpireTime)
    ON CONFLICT (user_id)
    DO UPDATE SET code_hash = excluded.code_hash, expire_time = excluded.expire_time`,
  codeOfUser: `
    SELECT code_hash FROM activation_codes WHERE user_id = :userId AND expire_time > :now`,
  voidCode: "DELETE FROM activation_codes WHERE user_id = :userId",
} as const;
