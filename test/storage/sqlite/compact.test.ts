import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openDatabase } from "../../../src/storage/sqlite/database.ts";
import { createQueueStore } from "../../../src/storage/sqlite/queue/store.ts";
import { changes, recovered, task, text, tube } from "../../conformance/queue/fixtures.ts";
import { temporaryFolder } from "../../support/process.ts";
import { smallDisk } from "../../support/small-disk.ts";

const MAIN = new URL("../../../src/main.ts", import.meta.url).pathname;

function compact(folder: string): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "compact"], {
    env: { PATH: process.env["PATH"], USHER_STORAGE: `sqlite:${folder}` },
    encoding: "utf8",
  });
  return { code: status, output: stdout + stderr };
}

/** A database, as one of an older Usher, in which little is left of 20 MiB. */
async function largeAndEmpty(folder: string): Promise<void> {
  const older = new DatabaseSync(join(folder, "usher.db"));
  older.exec("PRAGMA auto_vacuum = NONE; CREATE TABLE some (thing)");
  older.close();
  const database = openDatabase(folder);
  const store = createQueueStore(database);
  const large = Array.from({ length: 20 }, (_, nth) =>
    task(nth + 1, { payload: text("x".repeat(2 ** 20)) }),
  );
  await store.commit(changes({ tubes: [tube(1)], inserts: large }));
  const removes = large.slice(1).map(({ key }) => key);
  await store.commit(changes({ removes, removedBytes: 20 * 2 ** 20 }));
  database.close();
}

test("compact writes the file anew, so that it is as large as what is in it", async (t) => {
  const folder = temporaryFolder(t);
  await largeAndEmpty(folder);
  const before = statSync(join(folder, "usher.db")).size;
  assert.ok(before > 20 * 2 ** 20);
  const { code, output } = compact(folder);
  assert.equal(code, 0, output);
  assert.match(output, /^\S+usher\.db: 20\.\d MiB before, 1\.\d MiB now\n$/);
  assert.equal(
    readFileSync(join(folder, "usher.db"), "latin1").split("x".repeat(2_000)).length > 1,
    true,
  );
  const database = openDatabase(folder);
  t.after(() => database.close());
  assert.equal(database.handle.prepare("PRAGMA auto_vacuum").get()?.["auto_vacuum"], 2);
  assert.equal((await recovered(createQueueStore(database))).tasks.length, 1);
});

test("compact is for a stopped server's folder, and makes none", (t) => {
  const folder = temporaryFolder(t);
  const none = join(folder, "none");
  assert.deepEqual(compact(none), {
    code: 1,
    output: `usher: there is no usher.db in ${none}: it is no folder of an Usher\n`,
  });
  assert.equal(existsSync(none), false);
  const database = openDatabase(folder);
  t.after(() => database.close());
  assert.deepEqual(compact(folder), {
    code: 1,
    output: `usher: ${folder} is in use by another Usher process\n`,
  });
});

test("compact without room for the second file says so, and changes nothing", async (t) => {
  const disk = smallDisk(t, 64);
  if (disk === undefined) return;
  await largeAndEmpty(disk.folder);
  const { bavail, bsize } = statfsSync(disk.folder);
  writeFileSync(join(disk.folder, "other"), Buffer.alloc(bavail * bsize - 300 * 1024));
  const { code, output } = compact(disk.folder);
  assert.equal(code, 1);
  assert.match(output, /^usher: storage: the disk of \S+ is full: \d+ KiB free\n$/);
  const database = openDatabase(disk.folder);
  t.after(() => database.close());
  assert.equal((await recovered(createQueueStore(database))).tasks.length, 1);
});
