import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARDS } from "../../src/cluster/registry.ts";
import { prefixOf, shardOfToken, shardOfTube } from "../../src/cluster/shards.ts";

test("a tube's shard is the same for ever", () => {
  const names = ["mail", "test_queue", "jobs", "a", "A", "x".repeat(64), "orders.eu-1"];
  assert.deepEqual(names.map(shardOfTube), [46, 25, 61, 44, 12, 5, 46]);
});

test("tubes spread over all shards", () => {
  const counts = new Array<number>(SHARDS).fill(0);
  for (let index = 0; index < 64_000; index++) {
    const shard = shardOfTube(`tube-${index}`);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  assert.ok(Math.min(...counts) > 800, `${counts}`);
  assert.ok(Math.max(...counts) < 1_200, `${counts}`);
});

test("a token tells the shard that gave it out, and what no shard gave out tells none", () => {
  for (let shard = 0; shard < SHARDS; shard++) {
    assert.equal(shardOfToken(`${prefixOf(shard)}1.abc-def`), shard);
  }
  for (const token of ["", "1.lU8xgDd3MPju_pYC", "nobody's", "-x", "1s-x", "00-x", "zz-x", "A-x"]) {
    assert.equal(shardOfToken(token), undefined, token);
  }
});
