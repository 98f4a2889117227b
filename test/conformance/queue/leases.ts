import assert from "node:assert/strict";
import type {
  KeptLeases,
  LeaseRecord,
  QueueStore,
  SessionRecord,
} from "../../../src/queue/repository.ts";
import type { Cases } from "../cases.ts";
import { changes, hostileTexts, LARGEST, NOW, recovered, task, tube } from "./fixtures.ts";

const none: KeptLeases = { leases: [], sessions: [] };

export const leaseCases: Cases<QueueStore> = {
  async "gives back what the last clean stop kept, once: a second call gives nothing"(storage) {
    const store = await storage.open();
    const kept = { leases: [lease("a"), lease("b", { id: 2 })], sessions: [session("s")] };
    await store.saveLeases(kept);
    await storage.close();

    const second = await storage.open();
    assert.deepEqual(sorted(await second.loadLeases()), kept);
    assert.deepEqual(await second.loadLeases(), none);
    await storage.close();
    assert.deepEqual(await (await storage.open()).loadLeases(), none);
  },

  async "keeps leases and sessions in place of any kept before"(storage) {
    const store = await storage.open();
    await store.saveLeases({ leases: [lease("old"), lease("both")], sessions: [session("old")] });
    const kept = { leases: [lease("both", { fence: 9 })], sessions: [session("new")] };
    await store.saveLeases(kept);
    await storage.close();
    const second = await storage.open();
    assert.deepEqual(await second.loadLeases(), kept);
    await second.saveLeases(kept);
    await second.saveLeases(none);
    await storage.close();
    assert.deepEqual(await (await storage.open()).loadLeases(), none);
  },

  async "a lease and a session come back as they were"(storage) {
    const store = await storage.open();
    const kept = {
      leases: [
        lease("1", {
          tube: LARGEST,
          id: LARGEST,
          fence: LARGEST,
          attempts: 2 ** 32 - 1,
          deadline: LARGEST,
          leftMs: LARGEST,
        }),
        lease("2", { deadline: Infinity, leftMs: Infinity, session: "s" }),
        ...hostileTexts.map((hostile) => lease(`3${hostile}`, { session: hostile })),
      ],
      sessions: [
        session("s", { ttlMs: LARGEST, expiresAt: LARGEST, leftMs: LARGEST }),
        ...hostileTexts.map((hostile) => session(`t${hostile}`)),
      ],
    };
    await store.saveLeases(kept);
    await storage.close();
    assert.deepEqual(sorted(await (await storage.open()).loadLeases()), sorted(kept));
  },

  async "ten thousand leases are kept"(storage) {
    const store = await storage.open();
    const leases = Array.from({ length: 10_000 }, (_, id) => lease(`${id}`, { id }));
    await store.saveLeases({ leases, sessions: [] });
    await storage.close();
    const kept = await (await storage.open()).loadLeases();
    assert.deepEqual(sorted(kept), sorted({ leases, sessions: [] }));
  },

  async "commits and kept leases leave each other alone"(storage) {
    const store = await storage.open();
    const kept = { leases: [lease("a")], sessions: [session("s")] };
    await store.saveLeases(kept);
    await store.commit(changes({ tubes: [tube(1)], inserts: [task(1)] }));
    await store.commit(changes({ removedTubes: [1], removes: [1] }));
    assert.deepEqual((await recovered(store)).order, []);
    assert.deepEqual(await store.loadLeases(), kept);
  },
};

function lease(token: string, given: Partial<LeaseRecord> = {}): LeaseRecord {
  return {
    token,
    tube: 1,
    id: 1,
    fence: 1,
    attempts: 1,
    deadline: NOW,
    leftMs: 1_000,
    session: "",
    ...given,
  };
}

function session(id: string, given: Partial<SessionRecord> = {}): SessionRecord {
  return { id, ttlMs: 60_000, expiresAt: NOW, leftMs: 1_000, ...given };
}

/** They come back in no promised order. */
function sorted({ leases, sessions }: KeptLeases): KeptLeases {
  return {
    leases: [...leases].sort((a, b) => (a.token < b.token ? -1 : 1)),
    sessions: [...sessions].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
