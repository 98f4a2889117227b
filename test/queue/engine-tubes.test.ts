import assert from "node:assert/strict";
import { describe } from "node:test";
import { type TubeKind, type TubeSettings, tubeKinds } from "../../src/queue/repository.ts";
import { test } from "../support/on-each-storage.ts";
import { assertReason, startEngine } from "./running-engine.ts";

const SECOND = 1_000;
const retryBackoff = { initialMs: 1, maxMs: 2, multiplier: 2 };

describe("making a tube", () => {
  test("has the defaults where nothing is given, and is there after a crash", async (t) => {
    const q = await startEngine(t);
    const made = await q.engine.createTube(
      { name: "t", kind: "FIFO", temporary: false, settings: {} },
      false,
    );
    assert.deepEqual(made, {
      name: "t",
      kind: "FIFO",
      temporary: false,
      createdAt: q.clock.now(),
      pausedUntil: 0,
      settings: {
        capacity: 0,
        defaultPriority: 0,
        defaultTtlMs: Infinity,
        defaultTtrMs: Infinity,
        defaultDelayMs: 0,
        maxAttempts: 0,
        retryBackoff: undefined,
        dedupWindowMs: 0,
      },
    });
    await q.crash(SECOND);
    assert.deepEqual(q.engine.getTube("t"), made);
  });

  test("a name is made once; if_not_exists answers with what is there, unchanged", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { defaultPriority: 7 });
    const again = { name: "t", temporary: true, settings: { defaultPriority: 1 } };
    const create = (kind: TubeKind, ifNotExists: boolean) =>
      q.engine.createTube({ ...again, kind }, ifNotExists);
    await assertReason(create("FIFOTTL", false), "TUBE_ALREADY_EXISTS");
    await assertReason(create("FIFO", true), "TUBE_ALREADY_EXISTS");
    const there = await create("FIFOTTL", true);
    assert.equal(there.temporary, false);
    assert.equal(there.settings.defaultPriority, 7);
    await q.crash();
    assert.equal(q.engine.getTube("t").settings.defaultPriority, 7);
  });

  test("at the same time it is made once", async (t) => {
    const q = await startEngine(t);
    const create = (ifNotExists: boolean) =>
      q.engine.createTube({ name: "t", kind: "FIFO", temporary: false, settings: {} }, ifNotExists);
    const [first, second, third] = await Promise.allSettled([
      create(false),
      create(true),
      create(false),
    ]);
    assert.equal(first?.status, "fulfilled");
    assert.equal(second?.status, "fulfilled");
    assert.equal(third?.status, "rejected");
    await q.crash();
    assert.equal(q.engine.listTubes("", 10).tubes.length, 1);
  });

  test("names differ by letter case, and none is special", async (t) => {
    const q = await startEngine(t);
    const names = ["__proto__", "A", "a", "constructor", "x".repeat(64)];
    for (const name of names) {
      await q.tube(name, "FIFO");
      await q.put(name, {});
    }
    await q.crash();
    assert.deepEqual(
      q.engine.listTubes("", 10).tubes.map(({ name }) => name),
      names.toSorted(),
    );
    for (const name of names) assert.deepEqual(await q.takenIds(name, 9), [1]);
  });

  const settings: Partial<Record<keyof TubeSettings, Partial<TubeSettings>>> = {
    capacity: { capacity: 5 },
    defaultPriority: { defaultPriority: 0 },
    defaultTtlMs: { defaultTtlMs: 1 },
    defaultTtrMs: { defaultTtrMs: 1 },
    defaultDelayMs: { defaultDelayMs: 0 },
    retryBackoff: { retryBackoff },
    maxAttempts: { maxAttempts: 3 },
    dedupWindowMs: { dedupWindowMs: 3 },
  };
  const fields: Partial<Record<string, string>> = {
    capacity: "tube.capacity",
    defaultPriority: "tube.default_priority",
    defaultTtlMs: "tube.default_ttl",
    defaultTtrMs: "tube.default_ttr",
    defaultDelayMs: "tube.default_delay",
    retryBackoff: "tube.retry_backoff",
  };
  for (const kind of tubeKinds) {
    test(`${kind}: a setting that the kind lacks is refused, when made and when changed`, async (t) => {
      const q = await startEngine(t);
      const timed = kind !== "FIFO" && kind !== "UTUBE";
      const limited = kind === "LIMFIFOTTL";
      const base = limited ? { capacity: 9 } : {};
      await q.tube("there", kind, base);
      for (const [setting, given] of Object.entries(settings)) {
        const has = setting === "capacity" ? limited : timed || fields[setting] === undefined;
        if (has) {
          await q.tube(setting, kind, { ...base, ...given });
          await q.engine.updateTube("there", given);
          continue;
        }
        const fault = { reason: "INVALID_PARAMS", violations: [{ field: fields[setting] }] };
        await assert.rejects(q.tube(setting, kind, given), partly(fault));
        await assert.rejects(q.engine.updateTube("there", given), partly(fault));
      }
      assert.equal(q.engine.getTube("there").settings.maxAttempts, 3);
    });
  }

  test("a LIMFIFOTTL must have a capacity, and keeps one", async (t) => {
    const q = await startEngine(t);
    await assertReason(q.tube("t", "LIMFIFOTTL"), "INVALID_PARAMS");
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await assertReason(q.engine.updateTube("t", { capacity: 0 }), "INVALID_PARAMS");
    assert.equal(q.engine.getTube("t").settings.capacity, 1);
  });
});

test("a tube's settings change what is named, durably, for puts from then on", async (t) => {
  const q = await startEngine(t);
  await q.tube("t", "FIFOTTL", { defaultPriority: 5, maxAttempts: 2 });
  await q.put("t", {});
  const changed = await q.engine.updateTube("t", { defaultPriority: 1, retryBackoff });
  assert.deepEqual([changed.settings.defaultPriority, changed.settings.maxAttempts], [1, 2]);
  await q.put("t", {});
  assert.deepEqual(await q.takenIds("t", 1), [2]);
  await q.crash();
  assert.deepEqual(q.engine.getTube("t").settings, changed.settings);
  await assertReason(q.engine.updateTube("none", {}), "TUBE_NOT_FOUND");
});

test("tubes are listed by name, page by page, skipping nothing when earlier ones go", async (t) => {
  const q = await startEngine(t);
  for (const name of ["c", "a", "e", "b", "d"]) await q.tube(name, "FIFO");
  const first = q.engine.listTubes("", 2);
  assert.deepEqual([first.tubes.map(({ name }) => name), first.more], [["a", "b"], true]);
  await q.engine.deleteTube("a", false);
  await q.engine.deleteTube("b", false);
  const second = q.engine.listTubes("b", 3);
  assert.deepEqual([second.tubes.map(({ name }) => name), second.more], [["c", "d", "e"], false]);
  assert.deepEqual(q.engine.listTubes("e", 3), { tubes: [], more: false });
});

/** For assert.rejects: the error has these properties, of each violation its field. */
function partly(expected: { reason: string; violations: { field: string | undefined }[] }) {
  return (error: unknown): boolean => {
    const { reason, violations } = error as {
      reason: string;
      violations: { field: string }[];
    };
    assert.deepEqual({ reason, violations: violations.map(({ field }) => ({ field })) }, expected);
    return true;
  };
}
