export const attemptSql = {
  insertAttempt: `
    INSERT INTO password_attempts (id, account, address, time, pending_until)
    VALUES (:id, :account, :address, :now, :pendingUntil)`,
  failAttempt: "UPDATE password_attempts SET pending_until = NULL WHERE id = :id",
  releaseAttempt: "DELETE FROM password_attempts WHERE id = :id",
  forgetAttempts: "DELETE FROM password_attempts WHERE account = :account",
  // Of the tries of an account that a crash cut off one stays, as failed: ids grow with time.
  dropCutOffAttempts: `
    DELETE FROM password_attempts
    WHERE pending_until IS NOT NULL AND id NOT IN (
      SELECT max(id) FROM password_attempts WHERE pending_until IS NOT NULL GROUP BY account)`,
  failCutOffAttempts: `
    UPDATE password_attempts SET pending_until = NULL WHERE pending_until IS NOT NULL`,
  // The oldest of the last :limit failures; none while there are fewer.
  lockOfAccount: `
    SELECT time FROM password_attempts
    WHERE account = :account AND time > :since AND time <= :until
      AND (pending_until IS NULL OR pending_until <= :now)
    ORDER BY time DESC LIMIT 1 OFFSET :limit - 1`,
  lockOfAddress: `
    SELECT time FROM password_attempts
    WHERE address = :address AND time > :since AND time <= :until
      AND (pending_until IS NULL OR pending_until <= :now)
    ORDER BY time DESC LIMIT 1 OFFSET :limit - 1`,
  countOfAccount: `
    SELECT count(*) AS count FROM password_attempts
    WHERE account = :account AND time > :since AND time <= :until`,
  countOfAddress: `
    SELECT count(*) AS count FROM password_attempts
    WHERE address = :address AND time > :since AND time <= :until`,
} as const;
