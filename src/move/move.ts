import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { KeyStore } from "../auth/repository.ts";
import { keyStoreOf } from "../auth/sealing/sealing-keys.ts";
import { SHARDS } from "../cluster/registry.ts";
import { ensureAuthCollections } from "../storage/mongodb/auth/schema.ts";
import { createShardRegistry } from "../storage/mongodb/cluster/registry.ts";
import { type MongoDatabase, openDatabase as openTarget } from "../storage/mongodb/database.ts";
import { AuthRecordWriter } from "../storage/mongodb/move/auth-records.ts";
import {
  countAuth as countTargetAuth,
  countQueues as countTargetQueues,
} from "../storage/mongodb/move/counts.ts";
import { MoveTarget } from "../storage/mongodb/move/target.ts";
import { ensureQueueCollections } from "../storage/mongodb/queue/schema.ts";
import { createShardStores } from "../storage/mongodb/queue/store.ts";
import { authKinds } from "../storage/moved-records.ts";
import { StorageOpenError } from "../storage/open-error.ts";
import { openSealingKeys } from "../storage/sqlite/auth/sealing-keys.ts";
import { openDatabase as openSource, type SqliteDatabase } from "../storage/sqlite/database.ts";
import { readAuth } from "../storage/sqlite/move/auth-records.ts";
import { countAuth, countKeptLeases } from "../storage/sqlite/move/counts.ts";
import { createQueueStore } from "../storage/sqlite/queue/store.ts";
import { LIFE_MS, MoveHeartbeat } from "./heartbeat.ts";
import { countQueues, type Queues, readQueues, writeQueues } from "./queues.ts";
import { Resealing } from "./resealing.ts";

export interface MoveOptions {
  /** The folder of a stopped embedded instance. */
  readonly folder: string;
  /** `mongodb://...`; may have a password in it. */
  readonly url: string;
  /** Of the instances on the target; the first seals. */
  readonly sealingKeys: readonly Uint8Array[];
  /** Takes lines for the operator. */
  readonly say: (line: string) => void;
}

type Counts = Readonly<Record<string, number>>;

/** Long enough for a move that was killed to count as over. */
const PATIENCE_MS = LIFE_MS + 3_000;
/** Tasks, or records, between two lines. */
const SAY_EVERY = 10_000;

/**
 * Copies all that an embedded instance keeps to a MongoDB database, which nothing else may use.
 * Resolves true if both hold as much afterwards. A move that was cut off begins anew the next time.
 * Rejects with StorageOpenError, whose message is a line for the operator.
 */
export async function move({ folder, url, sealingKeys, say }: MoveOptions): Promise<boolean> {
  await using open = new AsyncDisposableStack();
  // Opening a folder without them would make them, as a start of the service does.
  for (const name of ["usher.db", "sealing-keys.json"]) {
    if (existsSync(join(folder, name))) continue;
    throw new StorageOpenError(`there is no ${name} in ${folder}: it is no folder of an Usher`);
  }
  const source = openSource(folder);
  open.defer(() => source.close());
  const keys = openSealingKeys(folder);
  const target = await openTarget(url);
  open.defer(() => target.close());
  await Promise.all([ensureQueueCollections(target.db), ensureAuthCollections(target.db)]);

  const queueStore = createQueueStore(source);
  const queues = await readQueues(queueStore);
  const counts: Counts = { ...countQueues(queues), ...countAuth(source) };
  const id = randomUUID();
  const stores = createShardStores(target, { owner: id });
  open.defer(() => stores.close());
  const registry = createShardRegistry(target.db, { id, sessionOf: stores.sessionOf });
  const mark = new MoveTarget(target.db, { source: sourceId(keys), id });
  const heartbeat = new MoveHeartbeat(registry);
  const finished = await mark.look(PATIENCE_MS);
  if (finished !== undefined) return tellFinished(finished.counts, counts, say);
  open.defer(() => heartbeat.end());
  await heartbeat.begin();
  await mark.take();

  const shards = new Map<number, ReturnType<typeof stores.store>>();
  for (const [shard, epoch] of await claimAll(registry)) {
    shards.set(
      shard,
      stores.store(shard, epoch, () => {}),
    );
  }
  say(`queues: ${queues.tubes.length} tubes, ${queues.tasks.length} tasks`);
  let said = 0;
  await writeQueues(
    queues,
    (wanted) => {
      heartbeat.check();
      return queueStore.payloads(wanted);
    },
    shards,
    (done) => {
      if (done - said < SAY_EVERY && done !== queues.tasks.length) return;
      said = done;
      say(`tasks: ${done} of ${queues.tasks.length}`);
    },
  );
  await moveAccounts({ source, target, keys, sealingKeys, heartbeat, say });
  tellLeases(countKeptLeases(source), queues, say);

  const arrived: Counts = {
    ...(await countTargetQueues(target.db)),
    ...(await countTargetAuth(target.db)),
  };
  if (!compare(counts, arrived, say)) return false;
  heartbeat.check();
  // The life of the move ends before instances may start, so that none of them counts it as one.
  await heartbeat.end();
  await mark.finish(counts);
  say("done: instances may start on the target");
  return true;
}

/** Not a secret, and the same for as long as the folder is used: its keys are made once. */
function sourceId({ sealingKeys }: KeyStore): string {
  // A new key would be put before the others.
  const oldest = sealingKeys.at(-1);
  const digest = createHash("sha256").update("usher move source\n");
  return digest
    .update(oldest?.secret ?? "")
    .digest("hex")
    .slice(0, 32);
}

async function claimAll(registry: ReturnType<typeof createShardRegistry>) {
  const { shards } = await registry.view();
  const epochs = new Map(shards.map(({ shard, epoch }) => [shard, epoch]));
  const all = Array.from({ length: SHARDS }, (_, shard) => ({
    shard,
    epoch: epochs.get(shard) ?? 0,
  }));
  const claimed = await registry.claim(all);
  if (claimed.size < SHARDS) throw new StorageOpenError("an Usher instance uses the target");
  return claimed;
}

async function moveAccounts({
  source,
  target,
  keys,
  sealingKeys,
  heartbeat,
  say,
}: Pick<MoveOptions, "sealingKeys" | "say"> & {
  readonly source: SqliteDatabase;
  readonly target: MongoDatabase;
  readonly keys: KeyStore;
  readonly heartbeat: MoveHeartbeat;
}): Promise<void> {
  const resealing = new Resealing(keys, keyStoreOf(sealingKeys));
  const writer = new AuthRecordWriter(target.db);
  for (const kind of authKinds) {
    let done = 0;
    for (const batch of readAuth(source, kind)) {
      heartbeat.check();
      await writer.write(kind, resealing.records(kind, batch));
      done += batch.length;
      if (done % SAY_EVERY === 0) say(`${titles[kind]}: ${done}`);
    }
    say(`${titles[kind]}: ${done}, all there are`);
  }
  await writer.finish();
  if (resealing.lost > 0) {
    say(`${resealing.lost} sealed texts could not be opened, here neither, and went as they are`);
  }
}

const titles = {
  users: "users",
  sessions: "sessions",
  states: "sign-ins under way",
  attempts: "password attempts",
  mail: "mails on their way",
  events: "audit events",
  revocations: "revocations",
  signingKeys: "signing keys",
} as const;

function tellLeases(leases: number, { tubes }: Queues, say: (line: string) => void): void {
  if (leases > 0) say(`${leases} leases are not moved: their tasks are ready again`);
  const temporary = tubes.filter((tube) => tube.temporary).length;
  if (temporary > 0) say(`${temporary} temporary tubes are empty, as after any restart`);
}

/** Tells both counts of everything; whether they are equal. */
function compare(source: Counts, target: Counts, say: (line: string) => void): boolean {
  let equal = true;
  for (const [name, count] of Object.entries(source)) {
    const same = target[name] === count;
    equal &&= same;
    say(`  ${name}: ${count}${same ? "" : ` in the source, but ${target[name]} in the target`}`);
  }
  if (!equal) say("the counts differ: run the move again");
  return equal;
}

function tellFinished(moved: Counts, source: Counts, say: (line: string) => void): boolean {
  say("done already, by an earlier run; nothing was changed. It moved:");
  for (const [name, count] of Object.entries(moved)) say(`  ${name}: ${count}`);
  const changed = Object.entries(source).filter(([name, count]) => moved[name] !== count);
  if (changed.length === 0) return true;
  say(
    `the source has changed since, and that is not moved: ${changed.map(([name]) => name).join(", ")}`,
  );
  return false;
}
