import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import type { QueueStore } from "../../../src/queue/repository.ts";
import { recovered } from "../../conformance/queue/fixtures.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { freshUrl, type Instance, keptCommits, startInstance } from "./queue-database.ts";

const INSTANCE = new URL("./stoppable-instance.ts", import.meta.url).pathname;

interface Stoppable {
  readonly child: ChildProcess;
  /** The next line that it writes. */
  line(): Promise<string | undefined>;
}

/** Resolves when the instance stands still, right before it sends the command. */
async function startStill(
  t: TestContext,
  url: string,
  id: string,
  work: "commit" | "claim",
  command: string,
): Promise<Stoppable> {
  const child = spawn(process.execPath, [INSTANCE, url, id, work, command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string | undefined> => (await lines.next()).value;
  assert.equal(await line(), "still");
  return { child, line };
}

async function claimSeen({ registry }: Instance): Promise<Map<number, number>> {
  return registry.claim((await registry.view()).shards);
}

function storesOf({ stores }: Instance, epochs: Map<number, number>): QueueStore[] {
  return [...epochs].map(([shard, epoch]) => stores.store(shard, epoch, () => {}));
}

async function keys(store: QueueStore): Promise<number[]> {
  return (await recovered(store)).tasks.map(({ key }) => key);
}

for (const command of ["insert", "delete", "commitTransaction"]) {
  test(`an owner that is stopped before its ${command} holds nobody up, and writes nothing when it goes on`, {
    skip: withoutMongodb,
  }, async (t) => {
    const url = await freshUrl(t);
    const owner = await startStill(t, url, "owner", "commit", command);
    owner.child.kill("SIGSTOP");

    const heir = await startInstance(t, url, "heir");
    const failures: string[] = [];
    heir.database.client.on("commandFailed", ({ commandName }) => failures.push(commandName));
    const epochs = await claimSeen(heir);
    assert.deepEqual(
      epochs,
      new Map([
        [1, 2],
        [3, 2],
      ]),
    );
    assert.deepEqual(failures, [], "nothing of it was in the way");
    const stores = storesOf(heir, epochs);
    assert.deepEqual(await Promise.all(stores.map(keys)), [[1], [1]]);
    const before = await keptCommits(heir, 1);

    owner.child.kill("SIGCONT");
    owner.child.stdin?.write("\n");
    assert.deepEqual([await owner.line(), await owner.line()].sort(), ["lost 1", "lost 3"]);
    assert.equal(await owner.line(), "outcome SHARD_UNAVAILABLE SHARD_UNAVAILABLE");
    assert.deepEqual(await Promise.all(stores.map(keys)), [[1], [1]]);
    assert.equal(await keptCommits(heir, 1), before);
  });
}

test("an owner that is stopped when its commit was taken has it kept, and whoever takes over finds all of it", {
  skip: withoutMongodb,
}, async (t) => {
  const url = await freshUrl(t);
  const owner = await startStill(t, url, "owner", "commit", "after commitTransaction");
  owner.child.kill("SIGSTOP");
  const heir = await startInstance(t, url, "heir");
  const stores = storesOf(heir, await claimSeen(heir));
  assert.deepEqual(await Promise.all(stores.map(keys)), [[2], [2]]);
  owner.child.kill("SIGCONT");
  owner.child.stdin?.write("\n");
  assert.equal(await owner.line(), "outcome kept kept");
});

for (const command of ["delete", "distinct", "killSessions", "update", "after update"]) {
  test(`an instance that is killed in the middle of its claim, at ${command}, leaves the shards to others`, {
    skip: withoutMongodb,
  }, async (t) => {
    const url = await freshUrl(t);
    const owner = await startStill(t, url, "owner", "commit", "commitTransaction");
    owner.child.kill("SIGSTOP");
    const claimer = await startStill(t, url, "claimer", "claim", command);
    claimer.child.kill("SIGKILL");
    await once(claimer.child, "exit");

    const third = await startInstance(t, url, "third");
    const epochs = await claimSeen(third);
    const next = command === "after update" ? 3 : 2;
    assert.deepEqual(
      epochs,
      new Map([
        [1, next],
        [3, next],
      ]),
    );
    const stores = storesOf(third, epochs);
    assert.deepEqual(await Promise.all(stores.map(keys)), [[1], [1]]);

    owner.child.kill("SIGCONT");
    owner.child.stdin?.write("\n");
    assert.deepEqual([await owner.line(), await owner.line()].sort(), ["lost 1", "lost 3"]);
    assert.equal(await owner.line(), "outcome SHARD_UNAVAILABLE SHARD_UNAVAILABLE");
  });
}
