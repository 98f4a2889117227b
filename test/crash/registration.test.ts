import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { AuditEventType } from "../../gen/usher/auth/v1/audit_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { type User, UserState } from "../../gen/usher/auth/v1/user_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { PASSWORD } from "../auth/accounts.ts";
import { refused } from "../auth/room.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";
import { clientOf } from "../support/service.ts";

const TUBE = "mail";

/**
 * Milliseconds after CompleteRegistration was sent. It looks at the code, hashes the password,
 * which takes most of the time, and makes the user active.
 */
const DELAYS_MS = [0, 1, 2, 4, 7, 12, 20, 28, 36, 44, 55, 70, 100];

test("a kill between any two steps of CompleteRegistration leaves no half-made user", async (t) => {
  const folder = temporaryFolder(t);
  const listens = await freeListens();
  const addresses = { grpcAddress: listens.grpc, httpAddress: listens.http };
  const env = { USHER_AUTH_MAIL_TUBE: TUBE };
  const connect = () => clientOf(addresses, AuthService, "Connect over HTTP/1.1");
  let running = await startProcess(t, folder, listens, env);

  for (const [nth, delay] of DELAYS_MS.entries()) {
    const client = connect();
    const email = `p${nth}@example.com`;
    const { activationCode: code } = await client.register({ email });
    const completion = { email, code, password: PASSWORD };
    const killed = pause(delay).then(() => running.end("SIGKILL"));
    const told = await client.completeRegistration(completion).catch(() => undefined);
    await killed;

    running = await startProcess(t, folder, listens, env);
    const restarted = connect();
    const { user } = await restarted.getUser({ key: { case: "email", value: email } });
    assert.ok(user);
    if (told !== undefined)
      assert.equal(user.state, UserState.ACTIVE, "who was answered is active");
    await isWhole(restarted, user, completion);
  }
  await mailIsThereOnce(addresses);
});

/** A user is pending, with a code that is good and no password, or active, with the password. */
async function isWhole(
  client: Client<typeof AuthService>,
  user: User,
  completion: { readonly email: string; readonly code: string; readonly password: string },
): Promise<void> {
  const { email, password } = completion;
  const active = user.state === UserState.ACTIVE;
  assert.equal(user.hasPassword, active);
  if (active) {
    await refused(client.completeRegistration(completion), "USER_ALREADY_ACTIVE");
  } else {
    assert.equal(user.state, UserState.PENDING);
    await refused(client.signIn({ email, password }), "WRONG_PASSWORD");
    await client.completeRegistration(completion);
  }
  await client.signIn({ email, password });
  const { events } = await client.listAuditEvents({ userId: user.id });
  assert.equal(
    events.filter(({ type }) => type === AuditEventType.REGISTRATION_COMPLETED).length,
    1,
  );
}

/** Every Register was answered, so each has its mail: one, however often the server was killed. */
async function mailIsThereOnce(addresses: Parameters<typeof clientOf>[0]): Promise<void> {
  const expected = DELAYS_MS.map((_, nth) => `p${nth}@example.com`);
  assert.deepEqual(await recipients(addresses, expected.length), expected.toSorted());
}

/** To whom the mail in the tube goes, once there are so many. */
async function recipients(
  addresses: Parameters<typeof clientOf>[0],
  count: number,
): Promise<string[]> {
  const queue = clientOf(addresses, QueueService);
  for (;;) {
    const { tasks } = await queue.listTasks({ tube: TUBE, pageSize: 1_000 });
    if (tasks.length < count) {
      await pause(20);
      continue;
    }
    const texts = tasks.map(({ payload }) => JSON.stringify(payload?.content.value));
    return texts.map((text) => text?.match(/[a-z\d-]+@example\.com/)?.[0] ?? "").toSorted();
  }
}

test("a kill while users register loses no mail and doubles none", async (t) => {
  const folder = temporaryFolder(t);
  const listens = await freeListens();
  const addresses = { grpcAddress: listens.grpc, httpAddress: listens.http };
  const env = { USHER_AUTH_MAIL_TUBE: TUBE };
  let running = await startProcess(t, folder, listens, env);
  const answered = new Set<string>();
  for (let round = 0; round < 5; round++) {
    const client = clientOf(addresses, AuthService, "Connect over HTTP/1.1");
    const register = async (email: string): Promise<void> => {
      await client.register({ email });
      answered.add(email);
    };
    const calls = Array.from({ length: 100 }, (_, nth) => register(`u${round}-${nth}@example.com`));
    const killed = pause(20 + 30 * round).then(() => running.end("SIGKILL"));
    await Promise.allSettled(calls);
    await killed;
    running = await startProcess(t, folder, listens, env);
  }
  const client = clientOf(addresses, AuthService);
  const { users } = await client.listUsers({ pageSize: 1_000 });
  const registered = users.map(({ email }) => email);
  for (const email of answered) assert.ok(registered.includes(email), `${email} is lost`);
  assert.deepEqual(await recipients(addresses, registered.length), registered.toSorted());
});
