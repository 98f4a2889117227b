import assert from "node:assert/strict";
import type { QueueStore } from "../../../src/queue/repository.ts";
import type { Cases } from "../cases.ts";
import {
  assertRefused,
  changes,
  hostileTexts,
  NOW,
  progress,
  recovered,
  sortedKeys,
  task,
  text,
  tube,
  withoutPayload,
} from "./fixtures.ts";

export const commitCases: Cases<QueueStore> = {
  async "an empty commit changes nothing"(storage) {
    const store = await storage.open();
    await store.commit(changes({ tubes: [tube(1)], inserts: [task(1)] }));
    const before = await recovered(store);
    await store.commit(changes({}));
    assert.deepEqual(await recovered(store), before);
  },

  async "takes all or none of a commit: a key that is there leaves nothing of it"(storage) {
    const store = await storage.open();
    const marks = { nextTube: 2, nextKey: 10, nextFence: 10 };
    const dedup = [{ tube: 1, key: "kept", id: 1, until: NOW + 1 }];
    const kept = [task(1), task(2), task(3)];
    await store.commit(changes({ marks, tubes: [tube(1)], inserts: kept, dedup }));
    const before = await recovered(store);

    const refused = changes({
      marks: { nextTube: 9, nextKey: 99, nextFence: 99 },
      tubes: [tube(1, { pausedUntil: Infinity }), tube(2)],
      removedTubes: [1],
      inserts: [task(4), task(2, { payload: text("another") }), task(5)],
      updates: [progress(1, { attempts: 7 })],
      removes: [3],
      dedup: [{ tube: 1, key: "new", id: 4, until: NOW + 1 }],
      removedDedup: [{ tube: 1, key: "kept" }],
    });
    await assertRefused(store.commit(refused));
    assert.deepEqual(await recovered(store), before);
    assert.deepEqual((await store.payloads([2])).get(2), kept[1]?.payload);
    await storage.close();

    const reopened = await storage.open();
    assert.deepEqual(await recovered(reopened), before);
    assert.equal((await reopened.payloads([4, 5])).size, 0);
  },

  async "after a refused commit the next is taken"(storage) {
    const store = await storage.open();
    await store.commit(changes({ inserts: [task(1)] }));
    await assertRefused(store.commit(changes({ inserts: [task(2), task(1)] })));
    await store.commit(changes({ inserts: [task(2)], removes: [1] }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tasks, [withoutPayload(task(2))]);
  },

  async "inserts come first, then updates in their order, then removals"(storage) {
    const store = await storage.open();
    await store.commit(changes({ inserts: [task(1), task(2)] }));
    await store.commit(
      changes({
        inserts: [task(3), task(4), task(5)],
        updates: [
          progress(3, { attempts: 1, reason: "first" }),
          progress(1, { attempts: 1 }),
          progress(4, { buried: true, reason: "gone anyway" }),
          progress(3, { attempts: 2, reason: "second" }),
          progress(1, { attempts: 2, buried: true, readyAt: NOW + 5, expiresAt: NOW + 9 }),
        ],
        removes: [4, 2],
      }),
    );
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tasks, [
      withoutPayload(task(1, { attempts: 2, buried: true, readyAt: NOW + 5, expiresAt: NOW + 9 })),
      withoutPayload(task(3, { attempts: 2, reason: "second" })),
      withoutPayload(task(5)),
    ]);
  },

  async "an update changes what it says of a task, and nothing else"(storage) {
    const store = await storage.open();
    const before = task(7, {
      tube: 3,
      id: 2,
      priority: 4,
      ttrMs: 10_000,
      expiresAt: NOW + 60_000,
      group: "b.c",
      dedupKey: "m1",
      reason: "smtp 451",
      size: 12,
      payload: { format: "json", value: '{"to":"a@b.c"}', attributes: { a: "1" } },
    });
    const neighbour = task(8, { tube: 3, id: 3 });
    await store.commit(changes({ inserts: [before, neighbour] }));
    const said = { buried: true, readyAt: 0, expiresAt: Infinity, attempts: 3, reason: "" };
    await store.commit(changes({ updates: [progress(7, said)] }));
    await storage.close();
    const reopened = await storage.open();
    const { tasks } = await recovered(reopened);
    assert.deepEqual(tasks, [{ ...before, ...said }, neighbour].map(withoutPayload));
    assert.deepEqual((await reopened.payloads([7])).get(7), before.payload);
  },

  async "reasons are kept as they were given"(storage) {
    const store = await storage.open();
    const inserts = hostileTexts.map((_, index) => task(index + 1));
    const updates = hostileTexts.map((reason, index) => progress(index + 1, { reason }));
    await store.commit(changes({ inserts }));
    await store.commit(changes({ updates }));
    await storage.close();
    const { tasks } = await recovered(await storage.open());
    assert.deepEqual(
      tasks.map(({ reason }) => reason),
      hostileTexts,
    );
  },

  async "removes just the tasks named, in any order; a key that is not there is passed over"(
    storage,
  ) {
    const store = await storage.open();
    const keys = [1, 2, 3, 5, 6, 9, 20];
    await store.commit(changes({ inserts: keys.map((key) => task(key)) }));
    await store.commit(changes({ removes: [9, 2, 4, 3, 1_000, 2, 6, 0] }));
    await store.commit(changes({ removes: [9] }));
    await storage.close();
    const reopened = await storage.open();
    const { tasks } = await recovered(reopened);
    assert.deepEqual(
      tasks.map(({ key }) => key),
      [1, 5, 20],
    );
    assert.deepEqual([...(await reopened.payloads([1, 2, 3, 4, 5, 6, 9])).keys()].sort(), [1, 5]);
  },

  async "ten thousand inserts, updates and removals go into one commit"(storage) {
    const store = await storage.open();
    const count = 10_000;
    const keys = Array.from({ length: count }, (_, index) => index + 1);
    await store.commit(changes({ inserts: keys.map((key) => task(key)) }));
    const odd = keys.filter((key) => key % 2 === 1);
    const even = keys.filter((key) => key % 2 === 0);
    await store.commit(
      changes({
        inserts: keys.map((key) => task(count + key)),
        updates: odd.map((key) => progress(key, { attempts: key })),
        removes: even.toReversed(),
      }),
    );
    await storage.close();
    const { tasks } = await recovered(await storage.open());
    const left = [
      ...odd.map((key) => task(key, { attempts: key })),
      ...keys.map((key) => task(count + key)),
    ];
    assert.deepEqual(tasks, left.map(withoutPayload));
  },

  async "a removed tube takes its dedup keys with it; its tasks are removed by their keys"(
    storage,
  ) {
    const store = await storage.open();
    await store.commit(
      changes({
        tubes: [tube(1), tube(2)],
        inserts: [task(1), task(2, { tube: 2, id: 1 }), task(3, { id: 2 })],
        dedup: [
          { tube: 1, key: "k", id: 1, until: NOW + 1 },
          { tube: 2, key: "k", id: 1, until: NOW + 2 },
        ],
      }),
    );
    await store.commit(changes({ removedTubes: [1], removes: [1] }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tubes, [tube(2)]);
    assert.deepEqual(
      back.tasks,
      [task(2, { tube: 2, id: 1 }), task(3, { id: 2 })].map(withoutPayload),
    );
    assert.deepEqual(back.dedup, [{ tube: 2, key: "k", id: 1, until: NOW + 2 }]);
  },

  async "a tube changed and removed in one commit is removed"(storage) {
    const store = await storage.open();
    await store.commit(changes({ tubes: [tube(1), tube(2)] }));
    await store.commit(changes({ tubes: [tube(1, { nextId: 9 })], removedTubes: [1, 77] }));
    await storage.close();
    assert.deepEqual((await recovered(await storage.open())).tubes, [tube(2)]);
  },

  async "the name of a removed tube can be given to another"(storage) {
    const store = await storage.open();
    await store.commit(changes({ tubes: [tube(1, { name: "mail" })] }));
    await store.commit(changes({ removedTubes: [1] }));
    await store.commit(changes({ tubes: [tube(2, { name: "mail" })] }));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tubes, [tube(2, { name: "mail" })]);
  },

  async "a name that another tube has is refused, and that tube stays"(storage) {
    const store = await storage.open();
    await store.commit(changes({ tubes: [tube(1, { name: "mail" })] }));
    await assertRefused(store.commit(changes({ tubes: [tube(2, { name: "mail" })] })));
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(back.tubes, [tube(1, { name: "mail" })]);
  },

  async "a dedup key belongs to its tube, and its record is what was last said"(storage) {
    const store = await storage.open();
    const first = [
      { tube: 1, key: "k", id: 1, until: NOW + 1 },
      { tube: 1, key: "K", id: 2, until: NOW + 1 },
      { tube: 2, key: "k", id: 3, until: NOW + 1 },
    ];
    await store.commit(changes({ dedup: first }));
    await store.commit(changes({ dedup: [{ tube: 1, key: "k", id: 9, until: NOW + 9 }] }));
    await store.commit(
      changes({
        removedDedup: [
          { tube: 2, key: "k" },
          { tube: 2, key: "not there" },
        ],
      }),
    );
    await storage.close();
    const back = await recovered(await storage.open());
    assert.deepEqual(sortedKeys(back.dedup), [
      { tube: 1, key: "K", id: 2, until: NOW + 1 },
      { tube: 1, key: "k", id: 9, until: NOW + 9 },
    ]);
  },

  async "a dedup key removed and noted again in one commit is there"(storage) {
    const store = await storage.open();
    await store.commit(changes({ dedup: [{ tube: 1, key: "k", id: 1, until: NOW + 1 }] }));
    const again = { tube: 1, key: "k", id: 2, until: NOW + 2 };
    await store.commit(changes({ removedDedup: [{ tube: 1, key: "k" }], dedup: [again] }));
    await storage.close();
    assert.deepEqual((await recovered(await storage.open())).dedup, [again]);
  },

  async "marks are those of the last commit that had some"(storage) {
    const store = await storage.open();
    await store.commit(changes({ marks: { nextTube: 1, nextKey: 65_537, nextFence: 2 ** 30 } }));
    const marks = { nextTube: 2, nextKey: 3, nextFence: 4 };
    await store.commit(changes({ marks }));
    await store.commit(changes({ tubes: [tube(1)] }));
    await storage.close();
    assert.deepEqual((await recovered(await storage.open())).marks, [marks]);
  },
};
