/**
 * Keys of access tokens, what tells their readers that one is no good any more, and when providers
 * were asked about their users. Times as in auth.ts.
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
