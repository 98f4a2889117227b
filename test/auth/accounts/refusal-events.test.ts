import assert from "node:assert/strict";
import { describe } from "node:test";
import { type AuditEvent, AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { createRefusalEvents } from "../../../src/auth/accounts/refusal-events.ts";
import type { NewAuditEvent } from "../../../src/auth/repository.ts";
import { silentLog } from "../../../src/logging/log.ts";
import { test } from "../../support/on-each-storage.ts";
import { StepClock } from "../../support/step-clock.ts";
import { OTHER_PASSWORD, PASSWORD, signUp } from "../accounts.ts";
import { openRepository } from "../repositories.ts";
import { beginAtFacebook, MINUTE, type Room, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

async function refusalsOf({ client }: Room, reason: string): Promise<readonly AuditEvent[]> {
  const { events } = await client.listAuditEvents({ pageSize: 1_000 });
  return events.filter((event) => event.reason === reason);
}

async function countsOf(room: Room, reason: string): Promise<readonly number[]> {
  return (await refusalsOf(room, reason)).map(({ count }) => count);
}

/** Lets a minute pass. Resolves when there are so many events with the reason. */
async function minuteUntil(room: Room, reason: string, events: number): Promise<void> {
  room.clock.step(MINUTE);
  while ((await refusalsOf(room, reason)).length < events) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function repeat(times: number, call: (nth: number) => Promise<unknown>): Promise<void> {
  for (let nth = 0; nth < times; nth++) await call(nth);
}

describe("Refusals that are alike", () => {
  test("of a locked email are one event a minute, with their count", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const { id } = await signUp(client, email);
    const attempt = { email, password: OTHER_PASSWORD };
    await repeat(10, () => refused(client.signIn(attempt), "WRONG_PASSWORD"));
    const locked = (given: object = {}) =>
      refused(client.signIn({ ...attempt, ...given }), "TOO_MANY_ATTEMPTS");
    await locked();
    await repeat(50, () => locked());
    await locked({ device: "Phone", address: "192.0.2.1" });
    assert.deepEqual(await countsOf(room, "TOO_MANY_ATTEMPTS"), [1]);
    await minuteUntil(room, "TOO_MANY_ATTEMPTS", 2);
    await repeat(3, () => locked());
    await minuteUntil(room, "TOO_MANY_ATTEMPTS", 3);
    const events = await refusalsOf(room, "TOO_MANY_ATTEMPTS");
    assert.deepEqual(
      events.map(({ count }) => count),
      [3, 51, 1],
    );
    for (const event of events) assert.equal(event.userId, id);
    const [, last] = events;
    assert.deepEqual([last?.device, last?.address], ["Phone", "192.0.2.1"]);
    // Nothing came for a minute, so the next one is written at once again.
    room.clock.step(2 * MINUTE);
    await locked();
    assert.deepEqual(await countsOf(room, "TOO_MANY_ATTEMPTS"), [1, 3, 51, 1]);
    assert.equal((await refusalsOf(room, "WRONG_PASSWORD")).length, 10);
  });

  test("of emails that nobody has count by network", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    const addresses = ["192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "", "", ""];
    await repeat(addresses.length, (nth) => {
      const attempt = { email: `nobody${nth}@example.com`, password: PASSWORD };
      return refused(
        client.signIn({ ...attempt, address: addresses[nth] ?? "" }),
        "WRONG_PASSWORD",
      );
    });
    assert.deepEqual(await countsOf(room, "WRONG_PASSWORD"), [1, 1, 1]);
    await minuteUntil(room, "WRONG_PASSWORD", 6);
    const events = (await refusalsOf(room, "WRONG_PASSWORD")).slice(0, 3);
    assert.deepEqual(events.map(({ address, count }) => [address, count]).toSorted(), [
      ["", 2],
      ["192.0.2.1", 1],
      ["2001:db8::2", 1],
    ]);
  });

  test("of codes, tokens and states are counted too, each user's for itself", async (t) => {
    const room = await startRoom(t);
    const { client } = room;
    await client.register({ email, userId: "ann" });
    await client.register({ email: "bob@example.com", userId: "bob" });
    const emails = [email, "bob@example.com", "nobody@example.com", "none@example.com"];
    const brought = await beginAtFacebook(room);
    const kinds = [
      {
        reason: "WRONG_ACTIVATION_CODE",
        type: AuditEventType.REGISTRATION_FAILED,
        call: (to: string) =>
          client.completeRegistration({ email: to, code: "no", password: PASSWORD }),
        users: ["", "ann", "bob"],
      },
      {
        reason: "WRONG_RESTORE_TOKEN",
        type: AuditEventType.PASSWORD_RESET_FAILED,
        call: (to: string) =>
          client.completePasswordReset({ email: to, resetToken: "no", password: PASSWORD }),
        users: ["", "ann", "bob"],
      },
      {
        reason: "WRONG_STATE",
        type: AuditEventType.SIGN_IN_FAILED,
        call: (to: string) => client.socialAuth({ ...brought, state: to }),
        users: [""],
      },
    ] as const;
    for (const { reason, type, call, users } of kinds) {
      for (const to of emails) await repeat(3, () => refused(call(to), reason));
      const first = await refusalsOf(room, reason);
      assert.deepEqual(first.map(({ userId }) => userId).toSorted(), users);
      await minuteUntil(room, reason, 2 * users.length);
      const events = await refusalsOf(room, reason);
      assert.ok(events.every((event) => event.type === type));
      assert.equal(
        events.reduce((sum, { count }) => sum + count, 0),
        3 * emails.length,
      );
    }
  });
});

function refusal(given: Partial<NewAuditEvent> = {}): NewAuditEvent {
  return { type: "sign_in_failed", time: 0, reason: "TOO_MANY_ATTEMPTS", ...given };
}

test("What has been counted is written when the service closes", async (t) => {
  const repository = await openRepository(t);
  const refusals = createRefusalEvents({ repository, clock: new StepClock(), log: silentLog });
  for (let nth = 0; nth < 5; nth++) await refusals.record(refusal({ userId: "ann" }));
  await refusals.close();
  assert.deepEqual(await written(repository), [4, 1]);
});

test("A close waits for what is being written, and writes nothing twice", async (t) => {
  const repository = await openRepository(t);
  const clock = new StepClock();
  const refusals = createRefusalEvents({ repository, clock, log: silentLog });
  for (const userId of ["ann", "bob"]) {
    for (let nth = 0; nth < 3; nth++) await refusals.record(refusal({ userId }));
  }
  clock.step(MINUTE);
  const closed = refusals.close();
  clock.step(MINUTE);
  await closed;
  assert.deepEqual(await written(repository), [2, 2, 1, 1]);
});

test("What could not be written is counted further", async (t) => {
  const repository = await openRepository(t);
  const clock = new StepClock();
  const warned = Promise.withResolvers<void>();
  let fails = false;
  const refusals = createRefusalEvents({
    repository: {
      ...repository,
      recordEvent: (event) =>
        fails ? Promise.reject(new Error("not now")) : repository.recordEvent(event),
    },
    clock,
    log: { ...silentLog, warn: () => warned.resolve() },
  });
  for (let nth = 0; nth < 3; nth++) await refusals.record(refusal());
  fails = true;
  clock.step(MINUTE);
  await warned.promise;
  await refusals.record(refusal());
  fails = false;
  await refusals.close();
  assert.deepEqual(await written(repository), [3, 1]);
});

test("A flood of refusals that are not alike is a bounded number of events", async (t) => {
  const repository = await openRepository(t);
  const refusals = createRefusalEvents({ repository, clock: new StepClock(), log: silentLog });
  const taken = Array.from({ length: 5_000 }, (_, nth) =>
    refusals.take(refusal({ userId: `user${nth}`, address: "192.0.2.1", device: "Phone" })),
  );
  const now = taken.flatMap((event) => event ?? []);
  assert.equal(now.length, 1_001);
  assert.deepEqual(now.at(-1), refusal());
  await refusals.close();
  assert.deepEqual(await written(repository), [3_999]);
});

async function written(repository: Awaited<ReturnType<typeof openRepository>>) {
  const everything = { after: undefined, userId: undefined, startTime: undefined };
  const events = await repository.listEvents({ ...everything, limit: 100, endTime: undefined });
  return events.map(({ count }) => count);
}
