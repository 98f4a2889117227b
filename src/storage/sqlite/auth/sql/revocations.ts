export const revocationSql = {
  insertRevocation: `
    INSERT INTO revocations (time, user_id, session_id) VALUES (:now, :userId, :sessionId)`,
  listRevocations: `
    SELECT * FROM revocations WHERE sequence > :after ORDER BY sequence LIMIT :limit`,
  lastRevocation: "SELECT coalesce(max(sequence), 0) AS sequence FROM revocations",
  // The last one stays, as the place where the sequence goes on.
  sweepRevocations: `
    DELETE FROM revocations WHERE sequence IN
      (SELECT sequence FROM revocations WHERE time < :before ORDER BY time LIMIT :limit)
      AND sequence < (SELECT max(sequence) FROM revocations)`,
} as const;
