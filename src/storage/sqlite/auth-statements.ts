import type { DatabaseSync, StatementSync } from "node:sqlite";

/** How many rows that are over go with each insert, so that none pile up and no call is slow. */
const SWEEP = 8;

const statements = {
  insertState: `
    INSERT INTO social_states
      (state_hash, provider, redirect_uri, client_state, code_verifier, nonce, expire_time)
    VALUES
      (:stateHash, :provider, :redirectUri, :clientState, :codeVerifier, :nonce, :expireTime)`,
  takeState: `
    DELETE FROM social_states
    WHERE state_hash = :stateHash AND provider = :provider
    RETURNING *`,
  sweepStates: `
    DELETE FROM social_states WHERE state_hash IN
      (SELECT state_hash FROM social_states WHERE expire_time <= :now
       ORDER BY expire_time LIMIT ${SWEEP})`,

  userById: "SELECT * FROM users WHERE id = :userId",
  userByEmail: "SELECT * FROM users WHERE email_key = :emailKey",
  userByAccount: `
    SELECT users.* FROM social_accounts JOIN users ON users.id = social_accounts.user_id
    WHERE provider = :provider AND social_id = :socialId`,
  insertUser: `
    INSERT INTO users (id, email, email_key, state, create_time, update_time)
    VALUES (:userId, :email, :emailKey, :state, :now, :now)`,
  activateUser: `
    UPDATE users SET state = 'active', password_hash = NULL, update_time = :now
    WHERE id = :userId`,
  deactivateUser: `
    UPDATE users SET state = 'deactivated', update_time = :now
    WHERE id = :userId AND state <> 'deactivated'`,
  giveEmail: `
    UPDATE users SET email = :email, email_key = :emailKey, update_time = :now
    WHERE id = :userId AND email_key IS NULL
      AND NOT EXISTS (SELECT 1 FROM users WHERE email_key = :emailKey)`,
  fillProfile: `
    UPDATE users SET
      first_name = coalesce(nullif(:firstName, ''), first_name),
      last_name = coalesce(nullif(:lastName, ''), last_name),
      picture = coalesce(nullif(:picture, ''), picture),
      locale = coalesce(nullif(:locale, ''), locale),
      update_time = :now
    WHERE id = :userId
      AND (:firstName NOT IN ('', first_name) OR :lastName NOT IN ('', last_name)
        OR :picture NOT IN ('', picture) OR :locale NOT IN ('', locale))`,
  touchUser: "UPDATE users SET update_time = :now WHERE id = :userId",

  replaceCode: `
    INSERT INTO activation_codes (user_id, code_hash, expire_time)
    VALUES (:userId, :codeHash, :codeExpireTime)
    ON CONFLICT (user_id)
    DO UPDATE SET code_hash = excluded.code_hash, expire_time = excluded.expire_time`,
  voidCode: "DELETE FROM activation_codes WHERE user_id = :userId",

  accountsOfUser: `
    SELECT * FROM social_accounts WHERE user_id = :userId ORDER BY link_time, rowid`,
  insertAccount: `
    INSERT INTO social_accounts
      (provider, social_id, user_id, email, email_verified, sealed_credentials, link_time)
    VALUES
      (:provider, :socialId, :userId, :email, :emailVerified, :sealedCredentials, :now)
    ON CONFLICT (provider, social_id) DO NOTHING`,
  updateAccountEmail: `
    UPDATE social_accounts SET email = :email, email_verified = :emailVerified
    WHERE provider = :provider AND social_id = :socialId
      AND (email <> :email OR email_verified <> :emailVerified)`,
  updateAccountCredentials: `
    UPDATE social_accounts SET sealed_credentials = :sealedCredentials
    WHERE provider = :provider AND social_id = :socialId`,

  insertSession: `
    INSERT INTO sessions
      (id, user_id, token_hash, provider, social_id, device, address,
       create_time, last_seen_time, expire_time)
    VALUES
      (:id, :userId, :tokenHash, :provider, :socialId, :device, :address,
       :now, :now, :expireTime)
    RETURNING *`,
  sessionByToken: `
    SELECT *, token_hash <> :tokenHash AS by_old_token FROM sessions
    WHERE expire_time > :now
      AND (token_hash = :tokenHash
        OR (old_token_hash = :tokenHash AND old_token_expire_time > :now))`,
  renewSession: `
    UPDATE sessions SET
      old_token_hash = token_hash, old_token_expire_time = :oldTokenExpireTime,
      successor_salt = :salt, token_hash = :newTokenHash,
      last_seen_time = :now, expire_time = :expireTime
    WHERE id = :id
    RETURNING *`,
  seeSession: "UPDATE sessions SET last_seen_time = :now WHERE id = :id",
  endSession: "DELETE FROM sessions WHERE id = :id",
  endSessionsOfUser: `
    UPDATE sessions SET end_time = :now WHERE user_id = :userId AND end_time IS NULL`,
  sweepSessions: `
    DELETE FROM sessions WHERE id IN
      (SELECT id FROM sessions WHERE expire_time <= :now ORDER BY expire_time LIMIT ${SWEEP})`,
} as const;

export type AuthStatements = Readonly<Record<keyof typeof statements, StatementSync>>;

/** Prepares every statement of AuthService, each by its name. */
export function prepareAuthStatements(handle: DatabaseSync): AuthStatements {
  const prepared = Object.entries(statements).map(([name, sql]) => [name, handle.prepare(sql)]);
  return Object.fromEntries(prepared) as AuthStatements;
}
