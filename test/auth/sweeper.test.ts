import assert from "node:assert/strict";
import { test } from "node:test";
import { createSweeper } from "../../src/auth/sweeper.ts";
import { silentLog } from "../../src/logging/log.ts";
import { createAuthRepository } from "../../src/storage/sqlite/auth/repository.ts";
import { openDatabase } from "../../src/storage/sqlite/database.ts";
import { temporaryFolder } from "../support/process.ts";
import { StepClock } from "../support/step-clock.ts";
import { DAY, MINUTE } from "./room.ts";

test("what is over goes by itself, in small steps, until the service closes", async (t) => {
  const db = openDatabase(temporaryFolder(t));
  t.after(() => db.close());
  const repository = createAuthRepository(db);
  const clock = new StepClock();
  const record = async (times: number): Promise<void> => {
    for (let nth = 0; nth < times; nth++) {
      await repository.recordEvent({ type: "sign_in_failed", time: clock.now() });
    }
  };
  const count = (): number =>
    Number(db.handle.prepare("SELECT count(*) AS n FROM audit_events").get()?.["n"]);
  await record(1_200);
  clock.step(DAY);
  await record(3);
  const sweeper = createSweeper({
    repository,
    clock,
    log: silentLog,
    attemptLifeMs: MINUTE,
    eventLifeMs: DAY - 1,
  });
  const left = [];
  for (const ms of [MINUTE - 1, 1, 100, 100, MINUTE]) {
    clock.step(ms);
    // Lets the step end that has begun.
    await new Promise((resolve) => setImmediate(resolve));
    left.push(count());
  }
  assert.deepEqual(left, [1_203, 703, 203, 3, 3]);
  await sweeper.close();
  clock.step(DAY);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(count(), 3);
});

test("a sweep that fails is tried again", async (t) => {
  const clock = new StepClock();
  let sweeps = 0;
  const warnings: string[] = [];
  const sweeper = createSweeper({
    repository: {
      sweep: () => (++sweeps === 1 ? Promise.reject(new Error("not now")) : Promise.resolve(0)),
    },
    clock,
    log: { ...silentLog, warn: (_, message) => void warnings.push(message) },
    attemptLifeMs: MINUTE,
    eventLifeMs: DAY,
  });
  t.after(() => sweeper.close());
  for (let nth = 0; nth < 3; nth++) {
    clock.step(MINUTE);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(sweeps, 3);
  assert.equal(warnings.length, 1);
});
