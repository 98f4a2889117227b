/**
 * An instance in a process of its own, which stands still right before it sends a certain command,
 * until it reads a line: `node stoppable-instance.ts URL ID WORK COMMAND`. What it writes is a line
 * each: `still` when it stands still, at last `outcome` and the outcomes of its commits.
 */
import { readSync, writeSync } from "node:fs";
import { UsherError } from "../../../src/base/errors.ts";
import { createShardRegistry } from "../../../src/storage/mongodb/cluster/registry.ts";
import { openDatabase } from "../../../src/storage/mongodb/database.ts";
import { createShardStores } from "../../../src/storage/mongodb/queue/store.ts";
import { changes, task } from "../../conformance/queue/fixtures.ts";

const [url = "", id = "", work = "", command = ""] = process.argv.slice(2);
const database = await openDatabase(url);
const stores = createShardStores(database, { owner: id });
const registry = createShardRegistry(database.db, { id, sessionOf: stores.sessionOf });
// Its life is over as it begins, so that nobody has to wait for that.
await registry.join("host:1", 0);

/** The name of a command, or `after` and the name: then when its answer has come. */
function standStillAt(moment: string): void {
  const [name = "", after] = moment.split(" ").reverse();
  const event = after === undefined ? "commandStarted" : "commandSucceeded";
  const listen = ({ commandName }: { commandName: string }): void => {
    if (commandName !== name) return;
    database.client.off(event, listen);
    // Nothing else runs meanwhile, and nothing is sent.
    writeSync(1, "still\n");
    readSync(0, new Uint8Array(1));
  };
  database.client.on(event, listen);
}

// Of one group committer, so that one transaction has both.
const shards = [1, 3];
const { shards: seen } = await registry.view();
const asked = shards.map((shard) => ({
  shard,
  epoch: seen.find((one) => one.shard === shard)?.epoch ?? 0,
}));
if (work === "claim") standStillAt(command);
const epochs = await registry.claim(asked);
const owned = shards.map((shard) =>
  stores.store(shard, epochs.get(shard) ?? -1, () => writeSync(1, `lost ${shard}\n`)),
);
await Promise.all(owned.map((store) => store.commit(changes({ inserts: [task(1)] }))));
standStillAt(command);
const outcomes = await Promise.all(
  owned.map((store) =>
    store.commit(changes({ inserts: [task(2)], removes: [1] })).then(
      () => "kept",
      (error: unknown) => (error instanceof UsherError ? error.reason : String(error)),
    ),
  ),
);
writeSync(1, `outcome ${outcomes.join(" ")}\n`);
await stores.close();
await database.close();
