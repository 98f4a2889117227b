/** Accounts with passwords, what happened to them, and their mail. Times as in auth.ts. */
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
