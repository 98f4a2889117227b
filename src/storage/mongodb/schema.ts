import type { Db } from "mongodb";
import { StorageOpenError } from "../open-error.ts";

/** Keeps the version of each service's documents. */
export const SCHEMA_COLLECTION = "schema";

const NAMESPACE_EXISTS = 48;

/** Makes the collections that are not there yet; others may do so at the same time. */
export async function createCollections(db: Db, names: readonly string[]): Promise<void> {
  const there = await db.listCollections({}, { nameOnly: true }).toArray();
  const present = new Set(there.map(({ name }) => name));
  const missing = names.filter((name) => !present.has(name));
  await Promise.all(missing.map((name) => createCollection(db, name)));
}

async function createCollection(db: Db, name: string): Promise<void> {
  try {
    await db.createCollection(name);
  } catch (error) {
    // Another instance, which starts at the same time, was faster.
    if ((error as { code?: unknown }).code !== NAMESPACE_EXISTS) throw error;
  }
}

/**
 * Records the version of a service's documents. Rejects with StorageOpenError if there are
 * documents of another version; `called` is what the operator calls them.
 */
export async function checkVersion(
  db: Db,
  {
    id,
    called,
    version,
  }: { readonly id: string; readonly called: string; readonly version: number },
): Promise<void> {
  const found = await db
    .collection<{ _id: string; version: number }>(SCHEMA_COLLECTION)
    .findOneAndUpdate(
      { _id: id },
      { $setOnInsert: { version } },
      { upsert: true, returnDocument: "after" },
    );
  if (found?.version !== version) {
    throw new StorageOpenError(
      `storage: the ${called} in this MongoDB database are of version ${found?.version}, and this Usher knows version ${version}`,
    );
  }
}
