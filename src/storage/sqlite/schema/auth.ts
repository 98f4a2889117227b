/** AuthService's tables. Times are milliseconds since the Unix epoch. */
export const authSchema = `
CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT,
  -- The email's case-folded form: one account for one.
  email_key TEXT UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'deactivated')),
  password_hash TEXT,
  first_name TEXT NOT NULL DEFAULT '',
  last_name TEXT NOT NULL DEFAULT '',
  picture TEXT NOT NULL DEFAULT '',
  locale TEXT NOT NULL DEFAULT '',
  -- A JSON object of strings.
  attributes TEXT NOT NULL DEFAULT '{}',
  create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL,
  CHECK ((email IS NULL) = (email_key IS NULL))
) STRICT;

CREATE TABLE activation_codes (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  code_hash BLOB NOT NULL,
  expire_time INTEGER NOT NULL
) STRICT;

CREATE TABLE social_accounts (
  provider TEXT NOT NULL,
  social_id TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- What the provider told, which need not be the user's own email.
  email TEXT NOT NULL,
  email_verified INTEGER NOT NULL,
  sealed_credentials TEXT NOT NULL,
  link_time INTEGER NOT NULL,
  PRIMARY KEY (provider, social_id)
) STRICT;
CREATE INDEX social_accounts_user ON social_accounts (user_id);

CREATE TABLE social_states (
  state_hash BLOB NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  client_state TEXT NOT NULL,
  code_verifier TEXT NOT NULL,
  nonce TEXT NOT NULL,
  expire_time INTEGER NOT NULL
) STRICT;
CREATE INDEX social_states_expiry ON social_states (expire_time);

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash BLOB NOT NULL UNIQUE,
  -- The token before the last renewal, until when it works, and what made its successor.
  old_token_hash BLOB UNIQUE,
  old_token_expire_time INTEGER,
  successor_salt BLOB,
  -- The account that opened it; NULL for a password.
  provider TEXT,
  social_id TEXT,
  device TEXT NOT NULL,
  address TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  last_seen_time INTEGER NOT NULL,
  expire_time INTEGER NOT NULL,
  -- Set when the user's deactivation ended it; it stays to be told from one that never was.
  end_time INTEGER,
  FOREIGN KEY (provider, social_id) REFERENCES social_accounts ON DELETE CASCADE
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_account ON sessions (provider, social_id);
CREATE INDEX sessions_expiry ON sessions (expire_time);
`;
