import type { Db } from "mongodb";
import type { Payload } from "../../../queue/repository.ts";
import { toUsherError } from "../database.ts";
import { payloadFrom, payloadOnly } from "./documents.ts";
import { collections } from "./schema.ts";
import { idOf, numberOf } from "./shard-ids.ts";

/** Keys in one query. */
const BATCH = 10_000;

/** The payloads of a shard's tasks by their keys. */
export async function readPayloads(
  db: Db,
  shard: number,
  keys: readonly number[],
): Promise<Map<number, Payload>> {
  try {
    const found = new Map<number, Payload>();
    for (let at = 0; at < keys.length; at += BATCH) {
      const ids = keys.slice(at, at + BATCH).map((key) => idOf(shard, key));
      const cursor = db
        .collection(collections.tasks)
        .find({ _id: { $in: ids as never[] } }, { projection: payloadOnly, promoteBuffers: true });
      for await (const document of cursor) {
        found.set(numberOf(document._id as never), payloadFrom(document));
      }
    }
    return found;
  } catch (error) {
    throw toUsherError(error);
  }
}
