import assert from "node:assert/strict";
import {
  type QueueStore,
  type RetryBackoff,
  type TubeSettings,
  tubeKinds,
} from "../../../src/queue/repository.ts";
import type { Cases } from "../cases.ts";
import {
  changes,
  hostileTexts,
  LARGEST,
  NOW,
  plainSettings,
  recovered,
  sortedKeys,
  task,
  tube,
  withoutPayload,
} from "./fixtures.ts";

export const recoveryCases: Cases<QueueStore> = {
  async "a fresh store gives back nothing"(storage) {
    const store = await storage.open();
    assert.deepEqual((await recovered(store)).order, []);
    assert.deepEqual(await store.loadLeases(), { leases: [], sessions: [] });
    assert.equal((await store.payloads([1])).size, 0);
  },

  async "gives back all that was committed: marks, tubes, then tasks in put order, then dedup keys"(
    storage,
  ) {
    const store = await storage.open();
    const marks = { nextTube: 3, nextKey: 100, nextFence: 1_000 };
    const dedup = [
      { tube: 1, key: "a", id: 4, until: NOW + 1 },
      { tube: 2, key: "a", id: 5, until: NOW + 2 },
    ];
    const tubes = [tube(1), tube(2, { name: "other" })];
    const tasks = [task(9), task(10, { tube: 2, id: 1 }), task(11, { id: 10 })];
    await store.commit(changes({ marks, tubes, inserts: tasks, dedup }));
    await storage.close();

    const back = await recovered(await storage.open());
    assert.deepEqual(back.marks, [marks]);
    assert.deepEqual(back.tubes, tubes);
    assert.deepEqual(back.tasks, tasks.map(withoutPayload));
    assert.deepEqual(sortedKeys(back.dedup), dedup);
    const order = ["marks", "tube", "tube", "task", "task", "task", "dedup", "dedup"];
    assert.deepEqual(back.order, order);
  },

  async "put order is the order of keys, over commits and tubes"(storage) {
    const store = await storage.open();
    const keys = [1, 2, 9, 10, 11, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 52, LARGEST];
    for (const [index, key] of keys.entries()) {
      const inserts = [task(key, { tube: 1 + (index % 3), id: index + 1 })];
      await store.commit(changes({ inserts }));
    }
    await storage.close();
    const { tasks } = await recovered(await storage.open());
    assert.deepEqual(
      tasks.map(({ key }) => key),
      keys,
    );
  },

  async "numbers and times come back up to the largest whole number, and Infinity as it is"(
    storage,
  ) {
    const store = await storage.open();
    const largest = task(LARGEST, {
      tube: LARGEST,
      id: LARGEST,
      createdAt: LARGEST,
      readyAt: LARGEST,
      expiresAt: LARGEST,
      ttrMs: LARGEST,
      priority: 2 ** 32 - 1,
      attempts: 2 ** 32 - 1,
      size: LARGEST,
    });
    const never = task(1, { expiresAt: Infinity, ttrMs: Infinity, readyAt: 0, createdAt: 0 });
    const marks = { nextTube: LARGEST, nextKey: LARGEST, nextFence: LARGEST };
    const dedup = [{ tube: LARGEST, key: "k", id: LARGEST, until: LARGEST }];
    const tubes = [
      tube(1, { createdAt: 0, pausedUntil: Infinity }),
      tube(LARGEST, { createdAt: LARGEST, pausedUntil: LARGEST, nextId: LARGEST }),
    ];
    await store.commit(changes({ marks, tubes, inserts: [never, largest], dedup }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.marks, [marks]);
    assert.deepEqual(back.tubes, tubes);
    assert.deepEqual(back.tasks, [never, largest].map(withoutPayload));
    assert.deepEqual(back.dedup, dedup);
  },

  async "a tube comes back with its kind and every setting"(storage) {
    const store = await storage.open();
    const retryBackoff: RetryBackoff = { initialMs: 1_000, maxMs: 60_000, multiplier: 1.5 };
    const settings: TubeSettings = {
      capacity: 500,
      defaultPriority: 7,
      defaultTtlMs: 60_000,
      defaultTtrMs: 10_000,
      defaultDelayMs: 5_000,
      maxAttempts: 3,
      retryBackoff,
      dedupWindowMs: 3_600_000,
    };
    const tubes = [
      ...tubeKinds.map((kind, index) => tube(index + 1, { kind, settings })),
      tube(10, { temporary: true, settings: plainSettings }),
      tube(11, { settings: { ...plainSettings, retryBackoff } }),
    ];
    await store.commit(changes({ tubes }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tubes, tubes);
  },

  async "every text comes back as it was put, and no two are taken for one"(storage) {
    const store = await storage.open();
    const inserts = hostileTexts.map((hostile, index) =>
      task(index + 1, { group: hostile, dedupKey: hostile, reason: hostile }),
    );
    const dedup = hostileTexts.map((key, index) => ({ tube: 1, key, id: index + 1, until: NOW }));
    const names = ["mail", "Mail", "MAIL", "__proto__", "constructor", "a.b", "-_.", "0"];
    const tubes = names.map((name, index) => tube(index + 1, { name }));
    await store.commit(changes({ tubes, inserts, dedup }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(
      back.tubes.map(({ name }) => name),
      names,
    );
    assert.deepEqual(back.tasks, inserts.map(withoutPayload));
    assert.deepEqual(sortedKeys(back.dedup), sortedKeys(dedup));
  },

  async "a tube's id mark and pause are what was last said"(storage) {
    const store = await storage.open();
    await store.commit(changes({ tubes: [tube(1, { nextId: 10, pausedUntil: NOW })] }));
    const later = tube(1, { nextId: 1_034, pausedUntil: Infinity });
    await store.commit(changes({ tubes: [tube(1, { nextId: 5 }), later] }));
    await storage.close();
    const second = await storage.open();
    assert.deepEqual((await recovered(second)).tubes, [later]);
    await second.commit(changes({ tubes: [tube(1, { nextId: 1_034 })] }));
    await storage.close();
    assert.deepEqual((await recovered(await storage.open())).tubes, [tube(1, { nextId: 1_034 })]);
  },

  async "ten thousand tasks come back"(storage) {
    const store = await storage.open();
    const inserts = Array.from({ length: 10_000 }, (_, index) =>
      task(index + 1, { tube: 1 + (index % 7), group: `group ${index % 100}` }),
    );
    await store.commit(changes({ inserts }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tasks, inserts.map(withoutPayload));
  },
};
