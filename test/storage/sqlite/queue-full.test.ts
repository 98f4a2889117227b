import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UsherError } from "../../../src/base/errors.ts";
import { openDatabase } from "../../../src/storage/sqlite/database.ts";
import { createQueueStore } from "../../../src/storage/sqlite/queue/store.ts";
import {
  changes,
  recovered,
  task,
  text,
  tube,
  withoutPayload,
} from "../../conformance/queue/fixtures.ts";

test("a commit for which the disk has no room is refused whole, and a later one is taken", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "usher-full-"));
  const database = openDatabase(folder);
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });
  const store = createQueueStore(database);
  await store.commit(changes({ tubes: [tube(1)], inserts: [task(1), task(2)] }));
  const before = await recovered(store);

  const { page_count: pages } = database.handle.prepare("PRAGMA page_count").get() ?? {};
  database.handle.exec(`PRAGMA max_page_count = ${Number(pages) + 10}`);
  const large = task(4, { payload: text("x".repeat(200_000)) });
  await assertFull(store.commit(changes({ inserts: [task(3), large], removes: [1] })));
  assert.deepEqual(await recovered(store), before);
  await assertFull(store.saveLeases({ leases: manyLeases(), sessions: [] }));
  assert.deepEqual(await store.loadLeases(), { leases: [], sessions: [] });

  database.handle.exec("PRAGMA max_page_count = 1000000");
  await store.commit(changes({ inserts: [task(3), large], removes: [1] }));
  const { tasks } = await recovered(store);
  assert.deepEqual(tasks, [task(2), task(3), large].map(withoutPayload));
});

function assertFull(commit: Promise<void>): Promise<void> {
  return assert.rejects(
    commit,
    (error) => error instanceof UsherError && error.reason === "STORAGE_FULL",
  );
}

function manyLeases() {
  const one = { tube: 1, id: 1, fence: 1, attempts: 1, deadline: 1, leftMs: 1, session: "" };
  return Array.from({ length: 10_000 }, (_, each) => ({ ...one, token: `lease ${each}` }));
}
