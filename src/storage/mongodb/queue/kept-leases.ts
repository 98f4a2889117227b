import type { Db } from "mongodb";
import type { KeptLeases } from "../../../queue/repository.ts";
import { shardsOf } from "../cluster/schema.ts";
import { toUsherError } from "../database.ts";
import { leaseDocument, leaseFrom, sessionDocument, sessionFrom } from "./documents.ts";
import { collections } from "./schema.ts";
import { keptOf } from "./shard-ids.ts";
import { UTF8, Writes } from "./writes.ts";

/** Keeps what is given in place of all that was kept; nothing: keeps nothing. */
export function keptWrites(shard: number, { leases, sessions }: KeptLeases): Writes {
  const writes = new Writes();
  const all = { q: { _id: keptOf(shard) }, limit: 0 };
  writes.removedLeases.push(all, 100);
  writes.removedSessions.push(all, 100);
  for (const lease of leases) {
    const texts = lease.token.length + lease.session.length;
    writes.leases.push(leaseDocument(shard, lease), 300 + UTF8 * texts);
  }
  for (const session of sessions) {
    writes.sessions.push(sessionDocument(shard, session), 200 + UTF8 * session.id.length);
  }
  writes.shard.kept = leases.length + sessions.length > 0;
  return writes;
}

/** What the last clean stop of a shard has kept. */
export async function readKept(db: Db, shard: number): Promise<KeptLeases> {
  try {
    const document = await shardsOf(db).findOne({ _id: shard }, { projection: { kept: 1 } });
    if (document?.kept !== true) return { leases: [], sessions: [] };
    const filter = { _id: keptOf(shard) as never };
    const leases = await db.collection(collections.keptLeases).find(filter).toArray();
    const sessions = await db.collection(collections.keptSessions).find(filter).toArray();
    return { leases: leases.map(leaseFrom), sessions: sessions.map(sessionFrom) };
  } catch (error) {
    throw toUsherError(error);
  }
}
