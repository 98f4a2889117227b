/*
 * AuthService's tables, by the steps that schema.ts lists. Times are milliseconds since the Unix epoch.
 */

/** Users, their social accounts and their sessions. */
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

/** Accounts with passwords, what happened to them, and their mail. */
export const accountsSchema = `
CREATE INDEX users_state ON users (state, id);
CREATE INDEX social_accounts_provider ON social_accounts (provider, user_id);
CREATE INDEX activation_codes_expiry ON activation_codes (expire_time);

CREATE TABLE reset_tokens (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  token_hash BLOB NOT NULL,
  expire_time INTEGER NOT NULL
) STRICT;
CREATE INDEX reset_tokens_expiry ON reset_tokens (expire_time);

-- Tries of passwords that failed, and those under way.
CREATE TABLE password_attempts (
  id TEXT NOT NULL PRIMARY KEY,
  -- An email key, of a user or not, or the id of a user without an email.
  account TEXT NOT NULL,
  -- What the limit by address counts by; empty where the address is not known.
  address TEXT NOT NULL,
  time INTEGER NOT NULL,
  -- Until when the try counts as one under way; NULL once it has failed.
  pending_until INTEGER
) STRICT;
CREATE INDEX password_attempts_account ON password_attempts (account, time);
CREATE INDEX password_attempts_address ON password_attempts (address, time);
CREATE INDEX password_attempts_time ON password_attempts (time);

-- Mail on its way to the queue.
CREATE TABLE mail_outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  sealed_mail TEXT NOT NULL,
  -- When the mail has lost its use; NULL for never.
  expire_time INTEGER
) STRICT;

-- Stays when the user goes. What is not known is empty.
CREATE TABLE audit_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  type TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  address TEXT NOT NULL,
  device TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_time ON audit_events (time);
CREATE INDEX audit_events_user ON audit_events (user_id, time);
`;

/**
 * Keys of access tokens, what tells their readers that one is no good any more, and when providers
 * were asked about their users.
 */
export const tokensSchema = `
CREATE TABLE signing_keys (
  id TEXT NOT NULL PRIMARY KEY,
  -- A JWK.
  public_key TEXT NOT NULL,
  sealed_private_key TEXT NOT NULL,
  -- From when on it signs.
  use_time INTEGER NOT NULL
) STRICT;
CREATE INDEX signing_keys_use ON signing_keys (use_time);

-- Stays when the user goes.
CREATE TABLE revocations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  -- Empty for every session of the user.
  session_id TEXT NOT NULL
) STRICT;
CREATE INDEX revocations_time ON revocations (time);

-- When the provider last confirmed the account, and when it was last asked.
ALTER TABLE social_accounts ADD COLUMN confirm_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE social_accounts ADD COLUMN ask_time INTEGER NOT NULL DEFAULT 0;
`;

/** How many refusals an event stands for. */
export const eventCountsSchema = `
ALTER TABLE audit_events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
`;
