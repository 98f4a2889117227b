export const revocationSql = {
  insertRevocation: `
    INSERT INTO revocations (time, user_id, session_id) VALUES (:now, :userId, :sessionId)`,
  listRevocations: `
    SELECT * FROM revocations WHERE sequence > :after ORDER BY sequence LIMIT :limit`,
  lastRevocation: "SELECT coalesce(max(sequence), 0) AS sequence FROM revocations",
  sweepRevocations: `
    DELETE FROM revocations WHERE sequence IN
      (SELECT sequence FROM revocations WHERE time < :before ORDER BY time LIMIT :limit)`,
} as const;
