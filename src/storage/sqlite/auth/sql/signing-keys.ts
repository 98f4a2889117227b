export const signingKeySql = {
  listSigningKeys: "SELECT * FROM signing_keys ORDER BY use_time, rowid",
  newestSigningKey: "SELECT id FROM signing_keys ORDER BY use_time DESC, rowid DESC LIMIT 1",
  insertSigningKey: `
    INSERT INTO signing_keys (id, public_key, sealed_private_key, use_time)
    VALUES (:id, :publicKey, :sealedPrivateKey, :useTime)`,
  deleteSigningKey: "DELETE FROM signing_keys WHERE id = :id",
} as const;
