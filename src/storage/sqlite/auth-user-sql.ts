/** Users and their activation codes. */
export const userSql = {
  userById: "SELECT * FROM users WHERE id = :userId",
  userByEmail: "SELECT * FROM users WHERE email_key = :emailKey",
  insertUser: `
    INSERT INTO users (id, email, email_key, state, create_time, update_time)
    VALUES (:userId, :email, :emailKey, :state, :now, :now)`,
  activateUser: `
    UPDATE users SET state = 'active', password_hash = NULL, update_time = :now
    WHERE id = :userId`,
  deactivateUser: `
    UPDATE users SET state = 'deactivated', update_time = :now
    WHERE id = :userId AND state <> 'deactivated'`,
  touchUser: "UPDATE users SET update_time = :now WHERE id = :userId",
  accountsOfUser: `
    SELECT * FROM social_accounts WHERE user_id = :userId ORDER BY link_time, rowid`,

  replaceCode: `
    INSERT INTO activation_codes (user_id, code_hash, expire_time)
    VALUES (:userId, :codeHash, :codeExpireTime)
    ON CONFLICT (user_id)
    DO UPDATE SET code_hash = excluded.code_hash, expire_time = excluded.expire_time`,
  voidCode: "DELETE FROM activation_codes WHERE user_id = :userId",
} as const;
