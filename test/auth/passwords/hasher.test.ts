import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hash as bcrypt } from "@node-rs/bcrypt";
import { createGate } from "../../../src/auth/passwords/gate.ts";
import { createPasswordHasher } from "../../../src/auth/passwords/hasher.ts";

const cost = { memoryKiB: 64, passes: 1, lanes: 1 };
const hasher = createPasswordHasher(cost);

test("a password is right for its own hash alone, and no two hashes are the same", async () => {
  const hash = await hasher.hash("correct horse");
  assert.match(hash, /^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.deepEqual(await hasher.check("correct horse", hash), { right: true, newHash: undefined });
  assert.deepEqual(await hasher.check("correct horsf", hash), { right: false });
  assert.notEqual(await hasher.hash("correct horse"), hash);
});

test("without a hash every password is wrong", async () => {
  assert.deepEqual(await hasher.check("", ""), { right: false });
  assert.deepEqual(await hasher.check("correct horse", ""), { right: false });
  assert.deepEqual(await hasher.check("x", "of no known form"), { right: false });
});

test("a hash of another cost or form is replaced when its password comes", async () => {
  const costlier = createPasswordHasher({ ...cost, memoryKiB: 128 });
  const old = await hasher.hash("correct horse");
  const checked = await costlier.check("correct horse", old);
  assert.ok(checked.right && checked.newHash);
  assert.match(checked.newHash, /^\$argon2id\$v=19\$m=128,/);
  const again = await costlier.check("correct horse", checked.newHash);
  assert.deepEqual(again, { right: true, newHash: undefined });
  assert.deepEqual(await costlier.check("wrong", old), { right: false });
});

test("a password is the same in every Unicode form, also for a hash that was not made of NFKC", async () => {
  const hash = await hasher.hash("caf\u00e9 \ufb01ne".normalize("NFKC"));
  for (const same of ["caf\u00e9 fine", "cafe\u0301 \ufb01ne"]) {
    assert.equal((await hasher.check(same, hash)).right, true);
  }
  const raw = await hasher.hash("cafe\u0301");
  const checked = await hasher.check("cafe\u0301", raw);
  assert.ok(checked.right && checked.newHash);
  assert.equal((await hasher.check("caf\u00e9", checked.newHash)).right, true);
});

describe("The gate", () => {
  function job() {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    let runs = 0;
    const run = (): Promise<string> => {
      runs++;
      started.resolve();
      return promise;
    };
    return { run, resolve, reject, started: started.promise, runs: () => runs };
  }

  test("lets so many run, so many wait in turn, and refuses the rest", async () => {
    const gate = createGate({ atOnce: 2, waiting: 2 });
    const jobs = Array.from({ length: 5 }, job);
    const results = jobs.map(({ run }) => gate.run(run));
    const [first, second, third, fourth, fifth] = jobs;
    await assert.rejects(results[4] ?? Promise.resolve(), { reason: "OVERLOADED" });
    assert.deepEqual(
      jobs.map(({ runs }) => runs()),
      [1, 1, 0, 0, 0],
    );
    second?.resolve("second");
    assert.equal(await results[1], "second");
    await third?.started;
    assert.equal(fourth?.runs(), 0);
    first?.reject(new Error("failed"));
    await assert.rejects(results[0] ?? Promise.resolve(), /failed/);
    await fourth?.started;
    third?.resolve("third");
    fourth?.resolve("fourth");
    assert.deepEqual(await Promise.all([results[2], results[3]]), ["third", "fourth"]);
    assert.equal(fifth?.runs(), 0);
    assert.equal(await gate.run(async () => "later"), "later");
  });

  test("a caller who gives up while waiting makes room, and one who has begun goes on", async () => {
    const gate = createGate({ atOnce: 1, waiting: 1 });
    const [begun, waiting, next] = [job(), job(), job()];
    const giveUp = new AbortController();
    const first = gate.run(begun.run, giveUp.signal);
    const second = gate.run(waiting.run, giveUp.signal);
    giveUp.abort(new Error("gave up"));
    await assert.rejects(second, /gave up/);
    const third = gate.run(next.run);
    begun.resolve("first");
    assert.equal(await first, "first");
    await next.started;
    next.resolve("third");
    assert.equal(await third, "third");
    assert.equal(waiting.runs(), 0);
    await assert.rejects(gate.run(waiting.run, giveUp.signal), /gave up/);
    assert.equal(await gate.run(async () => "free"), "free");
  });
});

test("bytes that bcrypt did not look at never become the password", async () => {
  const password = "p".repeat(72);
  const stored = await bcrypt(`${password}the end that was meant`, { cost: 4 });
  const typo = await hasher.check(`${password}another end`, stored);
  assert.deepEqual(typo, { right: true, newHash: undefined });
  const whole = await hasher.check(password, stored);
  assert.ok(whole.right && whole.newHash?.startsWith("$argon2id$"));
  // In bytes, not in characters, and of the form that the hash was made of.
  const wide = "é".repeat(37);
  assert.deepEqual(await hasher.check(`${wide}x`, await bcrypt(wide, { cost: 4 })), {
    right: true,
    newHash: undefined,
  });
});
