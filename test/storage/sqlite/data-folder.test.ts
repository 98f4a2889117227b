import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openDataFolder } from "../../../src/storage/sqlite/data-folder.ts";
import { openDatabase } from "../../../src/storage/sqlite/database.ts";
import { temporaryFolder } from "../../support/process.ts";
import { smallDisk } from "../../support/small-disk.ts";

const MAIN = new URL("../../../src/main.ts", import.meta.url).pathname;

/** What a server says that cannot start on a folder: all of it. */
function startOn(folder: string, uid?: number): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "serve"], {
    env: { PATH: process.env["PATH"], USHER_STORAGE: `sqlite:${folder}` },
    encoding: "utf8",
    ...(uid !== undefined && { uid }),
  });
  return { code: status, output: stdout + stderr };
}

describe("a folder that cannot be used is one line that names it", () => {
  test("a folder in which none can be made", () => {
    // Node's own recursive mkdir never returns from this one.
    assert.deepEqual(startOn("/proc/usher/data"), {
      code: 1,
      output: "usher: storage: cannot make /proc/usher/data: /proc takes no folder (ENOENT)\n",
    });
  });

  test("a file in its place", (t) => {
    const file = join(temporaryFolder(t), "file");
    writeFileSync(file, "");
    assert.deepEqual(startOn(file), {
      code: 1,
      output: `usher: storage: ${file} is a file, not a folder\n`,
    });
    assert.deepEqual(startOn(join(file, "data")), {
      code: 1,
      output: `usher: storage: ${file} is a file, not a folder: ${file}/data cannot be made in it\n`,
    });
  });

  test("a folder in the place of the database", (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "usher.db"));
    assert.throws(() => openDatabase(folder), {
      name: "StorageOpenError",
      message: `storage: ${folder}/usher.db is no file`,
    });
  });

  test("a folder of somebody else", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "usher-locked-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const isRoot = process.getuid?.() === 0;
    // Root may write everywhere: the server is another user then.
    const uid = isRoot ? 65_534 : process.getuid?.();
    chmodSync(folder, isRoot ? 0o755 : 0o500);
    const who = `Usher runs as user ${uid}`;
    assert.deepEqual(startOn(folder, isRoot ? uid : undefined), {
      code: 1,
      output: `usher: storage: no permission to write to ${folder}; ${who}\n`,
    });
    assert.deepEqual(startOn(join(folder, "data"), isRoot ? uid : undefined), {
      code: 1,
      output: `usher: storage: no permission to make ${folder}/data in ${folder}; ${who}\n`,
    });
    chmodSync(folder, 0o700);
  });

  test("a read-only file system, with a database and without", (t) => {
    const disk = smallDisk(t, 8);
    if (disk === undefined) return;
    openDatabase(join(disk.folder, "used")).close();
    mkdirSync(join(disk.folder, "empty"));
    disk.makeReadOnly();
    for (const name of ["used", "empty", "new"]) {
      const folder = join(disk.folder, name);
      assert.deepEqual(startOn(folder), {
        code: 1,
        output: `usher: storage: ${folder} is on a read-only file system\n`,
      });
    }
  });

  test("a disk without room", (t) => {
    const disk = smallDisk(t, 8);
    if (disk === undefined) return;
    mkdirSync(join(disk.folder, "data"));
    fill(disk.folder);
    for (const name of ["data", "new"]) {
      const folder = join(disk.folder, name);
      const { code, output } = startOn(folder);
      assert.equal(code, 1);
      assert.equal(output, `usher: storage: the disk of ${folder} is full: 0 KiB free\n`);
    }
  });

  test("a disk without room for the keys, or for what a start writes", (t) => {
    const disk = smallDisk(t, 8);
    if (disk === undefined) return;
    const folder = join(disk.folder, "data");
    openDatabase(folder).close();
    for (const kib of [0, 4, 12, 20]) {
      fill(disk.folder, kib);
      const { code, output } = startOn(folder);
      assert.equal(code, 1, output);
      assert.match(output, /^usher: storage: the disk of \S+ is full: \d+ KiB free\n$/);
      rmSync(join(disk.folder, "other"));
      rmSync(join(folder, "sealing-keys.json"), { force: true });
    }
  });
});

test("a folder is made with those above it, for the owner alone, and known by its whole path", (t) => {
  const folder = join(temporaryFolder(t), "a", "b");
  const made = openDataFolder(join(folder, "..", "b"));
  assert.deepEqual(made, { path: folder, file: join(folder, "usher.db"), isNew: true });
  openDatabase(folder).close();
  assert.equal(openDataFolder(folder).isNew, false);
});

/** Leaves so many KiB. */
function fill(folder: string, kib = 0): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(join(folder, "other"), Buffer.alloc(bavail * bsize - kib * 1024));
}
