/** Passwords and the tokens that reset them. */
export const passwordSql = {
  setPassword: `
    UPDATE users SET password_hash = :passwordHash, update_time = :now WHERE id = :userId`,
  // The password is the same and only its hash is another: nothing that a caller sees changes.
  rehashPassword: "UPDATE users SET password_hash = :passwordHash WHERE id = :userId",
  replaceResetToken: `
    INSERT INTO reset_tokens (user_id, token_hash, expire_time)
    VALUES (:userId, :tokenHash, :expireTime)
    ON CONFLICT (user_id)
    DO UPDATE SET token_hash = excluded.token_hash, expire_time = excluded.expire_time`,
  resetTokenOfUser: `
    SELECT token_hash FROM reset_tokens WHERE user_id = :userId AND expire_time > :now`,
  voidResetToken: "DELETE FROM reset_tokens WHERE user_id = :userId",
} as const;
