export const mailSql = {
  insertMail: `
    INSERT INTO mail_outbox (id, sealed_mail, expire_time) VALUES (:id, :sealed, :expireTime)`,
  listMail: "SELECT * FROM mail_outbox ORDER BY sequence LIMIT :limit",
  removeMail: "DELETE FROM mail_outbox WHERE id = :id",
} as const;
