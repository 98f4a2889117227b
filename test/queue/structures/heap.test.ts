import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "../../../src/queue/structures/heap.ts";
import { property } from "../../support/property.ts";

interface Item {
  rank: number;
  place: number;
}

const rank = fc.integer({ min: 0, max: 20 });
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: rank }) },
    fc.record({ pop: fc.constant(true) }),
    fc.record({ removeAt: fc.nat() }),
    fc.record({ changeAt: fc.nat(), to: rank }),
  ),
  { maxLength: 200, size: "max" },
);

test("a heap gives the first of its items, and knows the place of each", () => {
  property(steps, (all) => {
    const heap = new Heap<Item>({
      before: (a, b) => a.rank < b.rank,
      moved: (item, place) => {
        item.place = place;
      },
    });
    const expected = new Set<Item>();
    const pick = (number: number): Item | undefined => [...expected][number % expected.size];
    const least = (): number => Math.min(...[...expected].map((item) => item.rank));
    for (const step of all) {
      if ("push" in step) {
        const item = { rank: step.push, place: -1 };
        expected.add(item);
        heap.push(item);
      } else if ("pop" in step) {
        const first = least();
        const popped = heap.pop();
        assert.equal(popped?.rank ?? Infinity, first);
        if (popped !== undefined) expected.delete(popped);
      } else if ("removeAt" in step) {
        const item = pick(step.removeAt);
        if (item === undefined) continue;
        expected.delete(item);
        heap.removeAt(item.place);
      } else {
        const item = pick(step.changeAt);
        if (item === undefined) continue;
        item.rank = step.to;
        heap.changedAt(item.place);
      }
      assert.equal(heap.size, expected.size);
      assert.equal(heap.peek()?.rank ?? Infinity, least());
      const places = [...expected].map(({ place }) => place).sort((a, b) => a - b);
      assert.deepEqual(places, [...places.keys()]);
    }
  });
});
