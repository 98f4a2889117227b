// SQLite takes a comparison of rows for a range of the index, so that a page costs its own length.
const page = `
    (time, id) < (:beforeTime, :beforeId) AND time >= :startTime
    ORDER BY time DESC, id DESC LIMIT :limit`;

export const auditSql = {
  insertEvent: `
    INSERT INTO audit_events
      (time, type, user_id, session_id, provider, address, device, reason, count)
    VALUES
      (:time, :type, :userId, :sessionId, :provider, :address, :device, :reason, :count)`,
  listEvents: `SELECT * FROM audit_events WHERE ${page}`,
  listEventsOfUser: `SELECT * FROM audit_events WHERE user_id = :userId AND ${page}`,
} as const;
