import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdvisoryLocks } from "../../../src/storage/mongodb/auth/advisory-locks.ts";

/** Work that ends when it is told to, and notes when it begins. */
function controlled(begun: string[], name: string) {
  const end = Promise.withResolvers<string>();
  const work = (): Promise<string> => {
    begun.push(name);
    return end.promise;
  };
  return { work, end: () => end.resolve(name), fail: () => end.reject(new Error(name)) };
}

/** Lets everything run that waits for nothing but promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("work under one name begins when all before it has ended, well or not", async () => {
  const withLocks = createAdvisoryLocks();
  const begun: string[] = [];
  const [one, two, three] = ["one", "two", "three"].map((name) => controlled(begun, name));
  assert.ok(one && two && three);
  const first = withLocks(["a"], one.work);
  const second = withLocks(["a", "b"], two.work);
  const third = withLocks(["b"], three.work);
  await settle();
  assert.deepEqual(begun, ["one"]);
  one.fail();
  await assert.rejects(first, /one/);
  await settle();
  assert.deepEqual(begun, ["one", "two"]);
  two.end();
  assert.equal(await second, "two");
  await settle();
  assert.deepEqual(begun, ["one", "two", "three"]);
  three.end();
  assert.equal(await third, "three");
});

test("work under other names, or none, does not wait", async () => {
  const withLocks = createAdvisoryLocks();
  const begun: string[] = [];
  const stuck = controlled(begun, "stuck");
  const first = withLocks(["a"], stuck.work);
  assert.equal(await withLocks(["b"], async () => "other"), "other");
  assert.equal(await withLocks([], async () => "none"), "none");
  stuck.end();
  await first;
});

test("work goes without its lock when those before it take too long", async () => {
  const withLocks = createAdvisoryLocks(1);
  const stuck = controlled([], "stuck");
  const first = withLocks(["a"], stuck.work);
  assert.equal(await withLocks(["a"], async () => "impatient"), "impatient");
  stuck.end();
  await first;
});
