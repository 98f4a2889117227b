import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClusterView, SHARDS } from "../../src/cluster/registry.ts";
import { claimsOf, handOversOf } from "../../src/cluster/shard-placement.ts";
import { property } from "../support/property.ts";

const NONE: ReadonlySet<number> = new Set();

function view(ids: readonly string[], owners: readonly string[], heirs: readonly string[] = []) {
  return {
    instances: ids.map((id) => ({ id, address: `${id}:1` })),
    shards: owners.map((owner, shard) => ({ shard, epoch: 1, owner, heir: heirs[shard] ?? "" })),
  } satisfies ClusterView;
}

function claimed(of: ClusterView, overdue = NONE): Record<string, number[]> {
  const claims = of.instances.map(({ id }): [string, number[]] => [
    id,
    claimsOf(of, id, overdue).map(({ shard }) => shard),
  ]);
  return Object.fromEntries(claims);
}

test("an instance alone claims every shard, those that nobody has owned yet at epoch 0", () => {
  const claims = claimsOf({ instances: [{ id: "a", address: "a:1" }], shards: [] }, "a", NONE);
  assert.equal(claims.length, SHARDS);
  assert.ok(claims.every(({ epoch }) => epoch === 0));
});

test("what a dead instance had is dealt out evenly, each shard to one of those who live", () => {
  const owners = Array.from({ length: SHARDS }, (_, shard) => ["a", "b", "dead"][shard % 3] ?? "");
  const { a = [], b = [] } = claimed(view(["a", "b"], owners));
  assert.ok(Math.abs(a.length - b.length) <= 1);
  assert.deepEqual(
    [...a, ...b].sort((x, y) => x - y),
    owners.flatMap((owner, shard) => (owner === "dead" ? [shard] : [])),
  );
});

test("an heir alone claims what was handed to it, and anyone what is overdue", () => {
  const owners = Array.from({ length: SHARDS }, (_, shard) => (shard === 7 ? "" : "a"));
  const heirs = Array.from({ length: SHARDS }, (_, shard) => (shard === 7 ? "b" : ""));
  const of = view(["a", "b", "c"], owners, heirs);
  assert.deepEqual(claimed(of), { a: [], b: [7], c: [] });
  assert.deepEqual(claimed(of, new Set([7])), { a: [7], b: [7], c: [7] });
  assert.deepEqual(claimed(view(["a", "c"], owners, heirs)), { a: [], c: [7] }, "its heir is dead");
});

test("an instance that is not among the living claims nothing", () => {
  assert.deepEqual(claimsOf(view(["a"], []), "b", NONE), []);
});

test("shards with tasks that only memory knows stay where they are", () => {
  const owners = Array.from({ length: SHARDS }, () => "a");
  const all = new Set(owners.keys());
  assert.deepEqual(handOversOf(view(["a", "b"], owners), "a", all), []);
  assert.equal(handOversOf(view(["a", "b"], owners), "a", NONE).length, SHARDS / 2);
});

test("rounds of claims and hand-overs end with no two instances more than one shard apart", () => {
  const owned = fc.array(fc.integer({ min: 0, max: 8 }), { minLength: SHARDS, maxLength: SHARDS });
  property(
    fc.record({ count: fc.integer({ min: 1, max: 7 }), seeds: owned }),
    ({ count, seeds }) => {
      const ids = Array.from({ length: count }, (_, index) => `i${index}`);
      let owners = seeds.map((seed) => `i${seed}`);
      for (let round = 0; ; round++) {
        const heirs = owners.map(() => "");
        const now = view(ids, owners);
        const next = [...owners];
        for (const id of ids) {
          const claims = claimsOf(now, id, NONE);
          for (const { shard } of claims) next[shard] = id;
          const handOvers = claims.length > 0 ? [] : handOversOf(now, id, NONE);
          for (const { shard, heir } of handOvers) {
            heirs[shard] = heir;
            next[shard] = heir;
          }
        }
        if (next.every((owner, shard) => owner === owners[shard])) break;
        owners = next;
        assert.ok(round < 100, "it comes to an end");
      }
      const loads = ids.map((id) => owners.filter((owner) => owner === id).length);
      assert.equal(
        loads.reduce((sum, load) => sum + load, 0),
        SHARDS,
      );
      assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `loads ${loads}`);
    },
  );
});
