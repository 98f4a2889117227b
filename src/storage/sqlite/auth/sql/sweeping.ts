/** Removes what is over, the oldest first. */
export const sweepingSql = {
  sweepStates: `
    DELETE FROM social_states WHERE state_hash IN
      (SELECT state_hash FROM social_states WHERE expire_time <= :now
       ORDER BY expire_time LIMIT :limit)`,
  sweepSessions: `
    DELETE FROM sessions WHERE id IN
      (SELECT id FROM sessions WHERE expire_time <= :now ORDER BY expire_time LIMIT :limit)`,
  sweepCodes: `
    DELETE FROM activation_codes WHERE user_id IN
      (SELECT user_id FROM activation_codes WHERE expire_time <= :now
       ORDER BY expire_time LIMIT :limit)`,
  sweepResetTokens: `
    DELETE FROM reset_tokens WHERE user_id IN
      (SELECT user_id FROM reset_tokens WHERE expire_time <= :now
       ORDER BY expire_time LIMIT :limit)`,
  sweepAttempts: `
    DELETE FROM password_attempts WHERE id IN
      (SELECT id FROM password_attempts WHERE time <= :before ORDER BY time LIMIT :limit)`,
  sweepEvents: `
    DELETE FROM audit_events WHERE id IN
      (SELECT id FROM audit_events WHERE time < :before ORDER BY time LIMIT :limit)`,
  // The last one stays, as the place where the sequence goes on.
  sweepRevocations: `
    DELETE FROM revocations WHERE sequence IN
      (SELECT sequence FROM revocations WHERE time < :before ORDER BY time LIMIT :limit)
      AND sequence < (SELECT max(sequence) FROM revocations)`,
} as const;
