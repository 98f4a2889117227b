/** States of sign-ins under way, and accounts at providers. */
export const socialSql = {
  insertState: `
    INSERT INTO social_states
      (state_hash, provider, redirect_uri, client_state, code_verifier, nonce, expire_time)
    VALUES
      (:stateHash, :provider, :redirectUri, :clientState, :codeVerifier, :nonce, :expireTime)`,
  takeState: `
    DELETE FROM social_states
    WHERE state_hash = :stateHash AND provider = :provider
    RETURNING *`,

  userByAccount: `
    SELECT users.* FROM social_accounts JOIN users ON users.id = social_accounts.user_id
    WHERE provider = :provider AND social_id = :socialId`,
  giveEmail: `
    UPDATE users SET email = :email, email_key = :emailKey, update_time = :now
    WHERE id = :userId AND email_key IS NULL
      AND NOT EXISTS (SELECT 1 FROM users WHERE email_key = :emailKey)`,
  insertAccount: `
    INSERT INTO social_accounts
      (provider, social_id, user_id, email, email_verified, sealed_credentials, link_time,
       confirm_time, ask_time)
    VALUES
      (:provider, :socialId, :userId, :email, :emailVerified, :sealedCredentials, :now,
       :now, :now)
    ON CONFLICT (provider, social_id) DO NOTHING`,
  updateAccountEmail: `
    UPDATE social_accounts SET email = :email, email_verified = :emailVerified
    WHERE provider = :provider AND social_id = :socialId
      AND (email <> :email OR email_verified <> :emailVerified)`,
  credentialsOfAccount: `
    SELECT sealed_credentials FROM social_accounts
    WHERE provider = :provider AND social_id = :socialId`,
  updateAccountCredentials: `
    UPDATE social_accounts
    SET sealed_credentials = :sealedCredentials, confirm_time = :now, ask_time = :now
    WHERE provider = :provider AND social_id = :socialId`,
  takeDueAccount: `
    UPDATE social_accounts SET ask_time = :now
    WHERE provider = :provider AND social_id = :socialId
    RETURNING sealed_credentials`,
  keepAskedAccount: `
    UPDATE social_accounts SET
      sealed_credentials = :sealedCredentials,
      confirm_time = CASE WHEN :confirmed THEN :now ELSE confirm_time END
    WHERE provider = :provider AND social_id = :socialId AND sealed_credentials = :before
    RETURNING user_id`,
  accountByCredentials: `
    SELECT 1 FROM social_accounts
    WHERE provider = :provider AND social_id = :socialId
      AND sealed_credentials = :sealedCredentials`,
  deleteAccounts: `
    DELETE FROM social_accounts WHERE user_id = :userId AND provider = :provider`,
} as const;
