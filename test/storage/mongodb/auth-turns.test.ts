import assert from "node:assert/strict";
import { test } from "node:test";
import { createTurns } from "../../../src/storage/mongodb/auth/turns.ts";

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
  const inTurn = createTurns();
  const begun: string[] = [];
  const [one, two, three] = ["one", "two", "three"].map((name) => controlled(begun, name));
  assert.ok(one && two && three);
  const first = inTurn(["a"], one.work);
  const second = inTurn(["a", "b"], two.work);
  const third = inTurn(["b"], three.work);
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
  const inTurn = createTurns();
  const begun: string[] = [];
  const stuck = controlled(begun, "stuck");
  const first = inTurn(["a"], stuck.work);
  assert.equal(await inTurn(["b"], async () => "other"), "other");
  assert.equal(await inTurn([], async () => "none"), "none");
  stuck.end();
  await first;
});

test("work goes without its turn when those before it take too long", async () => {
  const inTurn = createTurns(1);
  const stuck = controlled([], "stuck");
  const first = inTurn(["a"], stuck.work);
  assert.equal(await inTurn(["a"], async () => "impatient"), "impatient");
  stuck.end();
  await first;
});
