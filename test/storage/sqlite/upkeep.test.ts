import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { createAuthRepository } from "../../../src/storage/sqlite/auth/repository.ts";
import { makeActive, NOW } from "../../conformance/auth/fixtures.ts";
import { text } from "../../queue/running-engine.ts";
import { temporaryFolder } from "../../support/process.ts";
import { type KeptUpEngine, keptUpEngine } from "./kept-up-engine.ts";

const MIB = 1024 * 1024;

/** Puts and acks tasks of so many MiB. */
async function passThrough({ running }: KeptUpEngine, mebibytes: number): Promise<void> {
  for (let nth = 0; nth < mebibytes; nth++) {
    const tasks = Array.from({ length: 10 }, () => text("x".repeat(MIB / 10)));
    await running.put("q", ...tasks);
  }
  for (let nth = 0; nth < mebibytes; nth++) {
    for (const task of await running.take("q", { maxTasks: 10 })) await running.ack(task);
  }
}

function sizeOf({ database }: KeptUpEngine): number {
  return statSync(database.folder.file).size;
}

test("room of what was removed goes back to the disk in small steps while little else happens", async (t) => {
  const engine = await keptUpEngine(t);
  const { running } = engine;
  await running.tube("q", "FIFO");
  await passThrough(engine, 40);
  const before = sizeOf(engine);
  assert.ok(before > 40 * MIB, `${before}`);
  // The first look finds that there was much to do.
  running.clock.step(1_000);
  assert.ok(engine.pragma("freelist_count") > 9_000);
  running.clock.step(1_000);
  const steps = [engine.pragma("freelist_count")];
  for (let nth = 0; nth < 60; nth++) {
    running.clock.step(50);
    steps.push(engine.pragma("freelist_count"));
  }
  // No step took more than its share.
  for (const [nth, left] of steps.entries()) {
    assert.ok((steps[nth - 1] ?? left) - left <= 256);
  }
  assert.ok(sizeOf(engine) < 6 * MIB, `${sizeOf(engine)}`);
  assert.equal(statSync(`${engine.database.folder.file}-wal`).size, 0);
  assert.deepEqual(running.counts("q"), {});
  await running.put("q", text("there is room for more"));
});

test("room is not given back while there is much to do", async (t) => {
  const engine = await keptUpEngine(t);
  const { running } = engine;
  await running.tube("q", "FIFO");
  await passThrough(engine, 8);
  const free = engine.pragma("freelist_count");
  for (let nth = 0; nth < 10; nth++) {
    for (let each = 0; each < 5; each++) await running.put("q", text("busy"));
    running.clock.step(1_000);
  }
  assert.ok(engine.pragma("freelist_count") > free - 10);
});

test("a file of an older Usher gives room back once little is in it", async (t) => {
  const folder = temporaryFolder(t);
  const older = new DatabaseSync(join(folder, "usher.db"));
  older.exec("PRAGMA auto_vacuum = NONE; CREATE TABLE some (thing)");
  older.close();
  const engine = await keptUpEngine(t, folder);
  const { running } = engine;
  assert.equal(engine.pragma("auto_vacuum"), 0);
  await running.tube("q", "FIFO");
  await running.put("q", text("kept"));
  const [kept] = await running.take("q");
  await passThrough(engine, 20);
  await running.release(kept as never);
  assert.ok(sizeOf(engine) > 20 * MIB);
  running.clock.step(2_000);
  assert.equal(engine.pragma("auto_vacuum"), 2);
  assert.ok(sizeOf(engine) < MIB, `${sizeOf(engine)}`);
  assert.deepEqual(running.counts("q"), { ready: 1 });
});

test("nothing of a user is left in the files a second after the removal", async (t) => {
  const { database, running } = await keptUpEngine(t);
  const repository = createAuthRepository(database);
  const users = Array.from({ length: 300 }, (_, nth) => ({
    userId: `id-${nth}`,
    email: { address: `Someone${nth}@Gone.example`, key: `someone${nth}@gone.example` },
    profile: {
      firstName: `Firstname${nth}`,
      lastName: `Lastname${nth}`,
      picture: `https://pictures.example/${nth}`,
      locale: "",
      // Some are too long for one page.
      attributes: { note: `Attribute${nth}`, more: "y".repeat(nth % 10 === 0 ? 9_000 : 10) },
    },
    passwordHash: `$argon2id$Hash${nth}`,
  }));
  await repository.importUsers({ users, now: NOW });
  await makeActive(repository, "ann@stays.example", { passwordHash: "AnnsHash" });
  const secrets = /omeone\d|irstname\d|astname\d|pictures\.example|ttribute\d|Hash\d/;
  const written = (): string =>
    ["usher.db", "usher.db-wal"]
      .map((name) => readFileSync(join(database.folder.path, name), "latin1"))
      .join("");
  assert.match(written(), secrets);
  for (const { userId } of users) await repository.deleteUser({ userId, now: NOW });
  running.clock.step(1_000);
  assert.doesNotMatch(written(), secrets);
  assert.match(written(), /ann@stays\.example/);
  assert.match(written(), /AnnsHash/);
});

test("neither a password's hash that was replaced nor the email in a mail that was sent is left", async (t) => {
  const { database, running } = await keptUpEngine(t);
  const repository = createAuthRepository(database);
  const { id: userId } = await makeActive(repository, "ann@example.com", {
    passwordHash: "OldHash",
  });
  await running.tube("mail", "FIFO");
  for (let nth = 0; nth < 50; nth++) {
    await running.put("mail", text(`{"to":"bob${nth}@mail.example"} ${"z".repeat(1_000)}`));
  }
  for (const task of await running.take("mail", { maxTasks: 50 })) await running.ack(task);
  await repository.changePassword({
    attemptId: "",
    userId,
    passwordHash: "OldHash",
    newPasswordHash: "NewHash",
    keptTokenHash: undefined,
    mail: undefined,
    now: NOW,
  });
  running.clock.step(1_000);
  const file = readFileSync(database.folder.file, "latin1");
  assert.match(file, /NewHash/);
  assert.doesNotMatch(file, /OldHash/);
  assert.doesNotMatch(file, /bob\d+@mail/);
  assert.equal(statSync(`${database.folder.file}-wal`).size, 0);
});

test("what many large tasks have left goes when there is time for it", async (t) => {
  const engine = await keptUpEngine(t);
  const { running, database } = engine;
  await running.tube("q", "FIFO");
  await running.put("q", ...Array.from({ length: 40 }, () => text(`Payload${"x".repeat(20_000)}`)));
  await running.put("q", text("stays"));
  await running.take("q", { maxTasks: 40 });
  assert.equal(await running.engine.truncateTube("q"), 41);
  assert.equal(database.hasTraces, true);
  for (let nth = 0; nth < 40; nth++) running.clock.step(1_000);
  assert.equal(database.hasTraces, false);
  assert.equal(engine.pragma("freelist_count"), 0);
  assert.doesNotMatch(readFileSync(database.folder.file, "latin1"), /Payloadx/);
});
