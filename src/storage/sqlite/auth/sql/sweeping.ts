/** What states and sessions need is with their own statements, for inserts sweep them too. */
export const sweepingSql = {
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
} as const;
