/** Each walks one index, in its order, from where the page before ended. */
export const userListSql = {
  listUsers: `
    SELECT *, 1 AS wanted FROM users
    WHERE id > :after ORDER BY id LIMIT :mostSeen`,
  listUsersByState: `
    SELECT *, 1 AS wanted FROM users
    WHERE state = :state AND id > :after ORDER BY id LIMIT :mostSeen`,
  listUsersByProvider: `
    SELECT *, (:state IS NULL OR state = :state) AS wanted FROM users
    WHERE id IN
      (SELECT DISTINCT user_id FROM social_accounts
       WHERE provider = :provider AND user_id > :after ORDER BY user_id LIMIT :mostSeen)
    ORDER BY id`,
  listUsersByEmail: `
    SELECT *,
      (:state IS NULL OR state = :state)
      AND (:provider = '' OR EXISTS
        (SELECT 1 FROM social_accounts WHERE user_id = users.id AND provider = :provider)) AS wanted
    FROM users
    WHERE email_key >= :prefix AND email_key < :prefixEnd AND email_key > :after
    ORDER BY email_key LIMIT :mostSeen`,
} as const;
