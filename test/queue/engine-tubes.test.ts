import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type TubeKind, type TubeSettings, tubeKinds } from "../../src/queue/repository.ts";
import { assertReason, assertThrows, startEngine } from "./running-engine.ts";

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

describe("deleting a tube", () => {
  test("takes its tasks with it, for good", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFOTTL", { dedupWindowMs: SECOND });
    await q.tube("other", "FIFO");
    await q.put("other", {});
    await q.put("t", { dedupKey: "k" }, { delayMs: SECOND }, {});
    await q.engine.buryTask("t", 3, "");
    await q.engine.deleteTube("t", false);
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await assertReason(q.engine.deleteTube("t", false), "TUBE_NOT_FOUND");
    await q.crash(2 * SECOND);
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await q.tube("t", "FIFO");
    assert.deepEqual(q.counts("t"), {});
    assert.deepEqual(await q.takenIds("other", 9), [1]);
  });

  test("is refused while tasks are leased, unless it is forced", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    await assertReason(q.engine.deleteTube("t", false), "TUBE_IN_USE");
    await q.engine.deleteTube("t", true);
    await assertReason(q.ack(task), "LEASE_LOST");
    await q.step(60 * SECOND);
  });

  test("answers those who wait at it TUBE_NOT_FOUND", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 1 });
    await q.put("t", {});
    await q.engine.pauseTube("t", Infinity);
    const waiting = [
      assertReason(q.take("t", { waitMs: SECOND }), "TUBE_NOT_FOUND"),
      assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "TUBE_NOT_FOUND"),
    ];
    const watcher = q.engine.watch("t", false);
    await q.engine.deleteTube("t", false);
    await Promise.all(waiting);
    await assertReason(watcher.next(), "TUBE_NOT_FOUND");
  });

  test("takes along what is on its way to the store", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {}, {}, {});
    const [acked, released, touched] = await q.take("t", { maxTasks: 3 });
    if (!acked || !released || !touched) assert.fail();
    const letGo = q.store.hold();
    const under = [q.put("t", {}), q.ack(acked), q.release(released), q.touch(touched, SECOND)];
    await q.idle();
    const deleted = q.engine.deleteTube("t", true);
    letGo();
    await Promise.all([...under, deleted]);
    await q.idle();
    await q.crash();
    assertThrows(() => q.engine.getTube("t"), "TUBE_NOT_FOUND");
    await q.tube("t", "FIFO");
    assert.deepEqual(q.counts("t"), {});
  });

  test("in the same commit as a put, and a crash: no task is left over", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    q.store.loseAnswers();
    void q.put("t", {});
    void q.engine.deleteTube("t", false);
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
    await q.restart();
    await q.tube("t", "FIFO");
    await q.put("t", {});
    assert.deepEqual(q.counts("t"), { ready: 1 });
  });

  test("hands out nothing any more", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const task = await q.takeOne("t");
    const letGo = q.store.hold();
    const released = q.release(task);
    await q.idle();
    const waiting = assertReason(q.take("t", { waitMs: SECOND }), "TUBE_NOT_FOUND");
    const deleted = q.engine.deleteTube("t", true);
    letGo();
    await Promise.all([released, deleted, waiting]);
  });

  test("in the same commit as a put: neither tube nor task is there afterwards", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    const put = assertReason(q.put("t", {}), "TUBE_NOT_FOUND").catch(() => "kept");
    await q.engine.deleteTube("t", false);
    await put;
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
  });

  test("lets no waiting put in any more, and the tube does not come back", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "LIMFIFOTTL", { capacity: 2 });
    await q.put("t", {});
    const caller = new AbortController();
    const answered = [
      assert.rejects(q.putAll("t", [{}, {}], { waitMs: 9_999, signal: caller.signal }), /gone/),
      assertReason(q.putAll("t", [{}], { waitMs: SECOND }), "TUBE_NOT_FOUND"),
    ];
    const letGo = q.store.hold();
    const deleted = q.engine.deleteTube("t", false);
    await q.idle();
    // Would let the small one in.
    caller.abort(new Error("gone"));
    await q.idle();
    letGo();
    await Promise.all([deleted, ...answered]);
    await q.idle();
    await q.crash();
    assert.deepEqual(q.engine.listTubes("", 9).tubes, []);
  });

  test("and making it again at once gives a new tube", async (t) => {
    const q = await startEngine(t);
    await q.tube("t", "FIFO");
    await q.put("t", {});
    const deleted = q.engine.deleteTube("t", false);
    const made = q.tube("t", "UTUBE");
    await Promise.all([deleted, made]);
    assert.equal(q.engine.getTube("t").kind, "UTUBE");
    assert.deepEqual(q.counts("t"), {});
    await q.crash();
    assert.equal(q.engine.getTube("t").kind, "UTUBE");
    assert.deepEqual(await q.put("t", {}), [1]);
  });
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
