import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TaskIndex } from "../../../src/queue/structures/task-index.ts";
import { property } from "../../support/property.ts";

/** Appends with gaps between ids, and removals anywhere, so that holes are closed and room is made. */
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
  ),
  { maxLength: 300, size: "max" },
);

test("a task log finds what was appended and not removed, in order", () => {
  property(steps, (all) => {
    const log = new TaskIndex();
    const expected = new Map<number, number>();
    let id = 0;
    for (const [slot, step] of all.entries()) {
      if ("append" in step) {
        id += step.append;
        log.append(id, slot);
        expected.set(id, slot);
      } else {
        const ids = [...expected.keys()];
        const removed = ids[step.remove % (ids.length + 1)] ?? id + 1;
        log.remove(removed);
        expected.delete(removed);
      }
      assert.equal(log.size, expected.size);
    }
    for (let each = 0; each <= id + 1; each++) {
      assert.equal(log.find(each), expected.get(each) ?? -1, `id ${each}`);
    }
    const middle = Math.floor(id / 2);
    for (const from of [0, middle, id]) {
      const walked: number[] = [];
      log.walk(from, (slot) => walked.push(slot) > 0);
      const behind = [...expected].filter(([each]) => each >= from);
      assert.deepEqual(
        walked,
        behind.map(([, slot]) => slot),
      );
    }
  });
});

test("a walk ends where it is told to", () => {
  const log = new TaskIndex();
  for (const id of [3, 5, 8, 9]) log.append(id, id);
  const walked: number[] = [];
  log.walk(4, (slot) => walked.push(slot) < 2);
  assert.deepEqual(walked, [5, 8]);
});
