export const revocationSql = {
  insertRevocation: `
    INSERT INTO revocations (time, user_id, session_id) VALUES (:now, :userId, :sessionId)`,
  listRevocations: `
    SELECT * FROM revocations WHERE sequence > :after ORDER BY sequence LIMIT :limit`,
  lastRevocation: "SELECT coalesce(max(sequence), 0) AS sequence FROM revocations",
} as const;
