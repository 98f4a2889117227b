import assert from "node:assert/strict";
import { describe } from "node:test";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { createAttemptLimiter } from "../../../src/auth/accounts/attempt-limiter.ts";
import { test } from "../../support/on-each-storage.ts";
import { temporaryFolder } from "../../support/process.ts";
import { StepClock } from "../../support/step-clock.ts";
import { lastEvent, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../accounts.ts";
import { openRepository, repositoriesFor } from "../repositories.ts";
import { MINUTE, type Room, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

async function failTimes(
  { client }: Pick<Room, "client">,
  times: number,
  given: { readonly email?: string; readonly address?: string } = {},
): Promise<void> {
  for (let nth = 0; nth < times; nth++) {
    const attempt = { email, password: OTHER_PASSWORD, ...given };
    await refused(client.signIn(attempt), "WRONG_PASSWORD");
  }
}

async function refusedFor(call: Promise<unknown>): Promise<number> {
  const error = await refused(call, "TOO_MANY_ATTEMPTS");
  const [retry] = error.findDetails(RetryInfoSchema);
  assert.ok(retry?.retryDelay);
  return durationMs(retry.retryDelay);
}

describe("Failures of an email", () => {
  test("the eleventh try within 15 minutes is refused, the right password too", async (t) => {
    const room = await startRoom(t);
    const { client, clock } = room;
    const { id } = await signUp(client, email);
    await failTimes(room, 9);
    await signIn(client, email);
    clock.step(MINUTE);
    await failTimes(room, 1, { email: "ANN@example.com" });
    assert.equal(await refusedFor(client.signIn({ email, password: PASSWORD })), 14 * MINUTE);
    assert.equal(await refusedFor(client.signIn({ email, password: OTHER_PASSWORD })), 14 * MINUTE);
    const event = await lastEvent(client);
    assert.equal(event.reason, "TOO_MANY_ATTEMPTS");
    assert.equal(event.userId, id);
    clock.step(14 * MINUTE - 1);
    assert.equal(await refusedFor(client.signIn({ email, password: PASSWORD })), 1);
    clock.step(1);
    await signIn(client, email);
  });

  test("lock nobody for longer because the wall clock was set back", async (t) => {
    const room = await startRoom(t);
    const { client, clock } = room;
    await signUp(client, email);
    await failTimes(room, 10);
    await refused(client.signIn({ email, password: PASSWORD }), "TOO_MANY_ATTEMPTS");
    clock.setWall(-60 * MINUTE);
    await failTimes(room, 10);
    assert.equal(await refusedFor(client.signIn({ email, password: PASSWORD })), 15 * MINUTE);
    clock.step(15 * MINUTE);
    await signIn(client, email);
  });

  test("count for unknown and pending emails alike, each for itself", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    await signUp(client, email);
    await client.register({ email: "pending@example.com" });
    for (const other of ["nobody@example.com", "pending@example.com"]) {
      await failTimes(room, 10, { email: other });
      await refusedFor(client.signIn({ email: other, password: PASSWORD }));
    }
    await signIn(client, email);
  });

  test("include wrong old passwords of ChangePassword", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const { id: userId } = await signUp(client, email);
    await failTimes(room, 5);
    const change = { userId, oldPassword: OTHER_PASSWORD, newPassword: "yet-another-3" };
    for (let nth = 0; nth < 5; nth++)
      await refused(client.changePassword(change), "WRONG_PASSWORD");
    await refusedFor(client.signIn({ email, password: PASSWORD }));
    await refusedFor(client.changePassword({ ...change, oldPassword: PASSWORD }));
  });

  test("do not include other refusals", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const { id: userId } = await signUp(client, email);
    await failTimes(room, 9);
    const weak = { userId, oldPassword: PASSWORD, newPassword: "weak" };
    const calls = [
      () => refused(client.changePassword(weak), "WEAK_PASSWORD", "new_password"),
      () => refused(client.signIn({ email, password: "" }), "INVALID_PARAMS", "password"),
    ];
    for (const call of calls) for (let nth = 0; nth < 3; nth++) await call();
    await client.deactivateUser({ userId });
    for (let nth = 0; nth < 3; nth++) {
      await refused(client.signIn({ email, password: PASSWORD }), "USER_NOT_ACTIVE");
    }
    await client.activateUser({ userId });
    await signIn(client, email);
  });

  test("are forgotten by a password reset, and by nothing else", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    await signUp(client, email);
    await failTimes(room, 10);
    const { resetToken } = await client.requestPasswordReset({ email });
    await refusedFor(client.signIn({ email, password: PASSWORD }));
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
    await signIn(client, email, OTHER_PASSWORD);
  });
});

describe("Failures from an address", () => {
  test("the 101st try is refused, whatever the email, and other addresses are not", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    await signUp(client, email);
    const address = "192.0.2.1";
    for (let nth = 0; nth < 10; nth++) {
      await failTimes(room, 10, { email: `user${nth}@example.com`, address });
    }
    assert.equal(
      await refusedFor(client.signIn({ email, password: PASSWORD, address })),
      15 * MINUTE,
    );
    const mapped = { email, password: PASSWORD, address: "::ffff:192.0.2.1" };
    await refusedFor(client.signIn(mapped));
    await client.signIn({ email, password: PASSWORD, address: "192.0.2.2" });
    await signIn(client, email);
  });

  test("an IPv6 address counts with its /64, however it is written", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    await signUp(client, email);
    for (let nth = 0; nth < 10; nth++) {
      const address = nth % 2 === 0 ? `2001:DB8::${nth}` : `2001:db8:0:0:1:2:3:${nth}`;
      await failTimes(room, 10, { email: `user${nth}@example.com`, address });
    }
    await refusedFor(client.signIn({ email, password: PASSWORD, address: "2001:db8::ffff" }));
    await client.signIn({ email, password: PASSWORD, address: "2001:db8:0:1::1" });
  });
});

test("tries at once never exceed the limit, and none of the right password is refused for being quick", async (t) => {
  const { client } = await startRoom(t);
  await signUp(client, email);
  const right = Array.from({ length: 40 }, () => signIn(client, email));
  await Promise.all(right);
  const wrong = Array.from({ length: 40 }, () =>
    client.signIn({ email, password: OTHER_PASSWORD }),
  );
  const outcomes = await Promise.allSettled(wrong);
  const reasons = outcomes.map((outcome) =>
    outcome.status === "rejected"
      ? ConnectError.from(outcome.reason).findDetails(ErrorInfoSchema)[0]?.reason
      : "signed in",
  );
  assert.equal(reasons.filter((reason) => reason === "WRONG_PASSWORD").length, 10);
  assert.equal(reasons.filter((reason) => reason === "TOO_MANY_ATTEMPTS").length, 30);
});

test("a restart forgets neither failures nor tries that it cut off", async (t) => {
  const repositories = await repositoriesFor(t, temporaryFolder(t));
  t.after(() => repositories.close());
  const clock = new StepClock();
  const attempt = { account: email, address: "" };
  const limiter = createAttemptLimiter(await repositories.open(), clock);
  for (let nth = 0; nth < 9; nth++) {
    await limiter.fail(await limiter.begin(attempt), { type: "sign_in_failed", time: clock.now() });
  }
  await limiter.begin(attempt);
  await repositories.close();
  const reopened = createAttemptLimiter(await repositories.open(), clock);
  clock.step(MINUTE);
  await assert.rejects(reopened.begin(attempt), {
    reason: "TOO_MANY_ATTEMPTS",
    retryAfterMs: 14 * MINUTE,
  });
});

test("a caller who gives up while waiting for other tries leaves nothing behind", async (t) => {
  const clock = new StepClock();
  const limiter = createAttemptLimiter(await openRepository(t), clock);
  const attempt = { account: email, address: "" };
  const ids = [];
  for (let nth = 0; nth < 10; nth++) ids.push(await limiter.begin(attempt));
  const giveUp = new AbortController();
  const waiting = limiter.begin(attempt, giveUp.signal);
  const patient = limiter.begin(attempt);
  giveUp.abort(new Error("gave up"));
  await assert.rejects(waiting, /gave up/);
  await limiter.release(ids[0] ?? "");
  assert.ok(await patient);
});

test("a try that ends while the store looks is not waited for", async (t) => {
  const repository = await openRepository(t);
  const answers: (() => Promise<void>)[] = [];
  const limiter = createAttemptLimiter(
    {
      ...repository,
      async reserveAttempt(attempt) {
        const outcome = await repository.reserveAttempt(attempt);
        await answers.shift()?.();
        return outcome;
      },
    },
    new StepClock(),
  );
  const attempt = { account: email, address: "" };
  const ids: string[] = [];
  for (let nth = 0; nth < 10; nth++) ids.push(await limiter.begin(attempt));
  // The store has answered that others are under way, and its answer is still on the way.
  answers.push(() => limiter.release(ids[0] ?? ""));
  assert.ok(await limiter.begin(attempt));
});

test("when more passwords wait than can be borne, the rest is OVERLOADED and counts for nobody", async (t) => {
  const { client, repository } = await startRoom(t, { settings: { passwordMemoryKiB: 64 * 1024 } });
  const enough = new AbortController();
  const overloaded: number[] = [];
  const calls = Array.from({ length: 300 }, async (_, nth) => {
    const attempt = { email: `user${nth}@example.com`, password: PASSWORD };
    const call = client.signIn(attempt, { signal: enough.signal });
    const error = ConnectError.from(await call.catch((thrown: unknown) => thrown));
    if (error.findDetails(ErrorInfoSchema)[0]?.reason !== "OVERLOADED") return;
    assert.equal(error.code, Code.ResourceExhausted);
    assert.ok(error.findDetails(RetryInfoSchema)[0]?.retryDelay);
    overloaded.push(nth);
    // Those that wait need not go on.
    enough.abort();
  });
  await Promise.all(calls);
  assert.ok(overloaded.length > 0);
  const attempt = {
    id: "next",
    account: `user${overloaded[0]}@example.com`,
    address: "",
    now: Date.UTC(2026, 0, 1),
    pendingUntil: 0,
    windowMs: MINUTE,
    accountLimit: 1,
    addressLimit: 1,
  };
  assert.deepEqual(await repository.reserveAttempt(attempt), { outcome: "reserved" });
});
