import assert from "node:assert/strict";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { PASSWORD, signIn, signUp } from "./accounts.ts";
import { beginAtFacebook, type Room, refused, startRoom } from "./room.ts";

const email = "ann@example.com";
const AT_ONCE = 8;

/** Calls so many times at once and counts the answers by reason; "" is success. */
async function race(call: (nth: number) => Promise<unknown>): Promise<Record<string, number>> {
  const calls = Array.from({ length: AT_ONCE }, (_, nth) => call(nth));
  const outcomes = await Promise.allSettled(calls);
  const reasons = outcomes.map((outcome) =>
    outcome.status === "fulfilled"
      ? "won"
      : (ConnectError.from(outcome.reason).findDetails(ErrorInfoSchema)[0]?.reason ?? "none"),
  );
  const groups = Map.groupBy(reasons, (reason) => reason);
  return Object.fromEntries([...groups].map(([reason, each]) => [reason, each.length]));
}

async function userCount({ client }: Room): Promise<number> {
  return (await client.listUsers({})).users.length;
}

function passwordOf(nth: number): string {
  return `${PASSWORD}-${nth}`;
}

/** Which of the racers' passwords it is. */
async function winner({ client }: Room): Promise<number> {
  for (let nth = 0; nth < AT_ONCE; nth++) {
    const signedIn = await client
      .signIn({ email, password: passwordOf(nth) })
      .catch(() => undefined);
    if (signedIn !== undefined) return nth;
  }
  return assert.fail("nobody's password is right");
}

test("completions with one code: one wins, the others find the user active", async (t) => {
  const room = await startRoom(t);
  const { activationCode: code } = await room.client.register({ email });
  const outcomes = await race((nth) =>
    room.client.completeRegistration({ email, code, password: passwordOf(nth) }),
  );
  assert.deepEqual(outcomes, { won: 1, USER_ALREADY_ACTIVE: AT_ONCE - 1 });
  await winner(room);
  assert.equal(await userCount(room), 1);
});

test("resets with one token: one wins, the others' token is used", async (t) => {
  const room = await startRoom(t);
  await signUp(room.client, email);
  const { resetToken } = await room.client.requestPasswordReset({ email });
  const outcomes = await race((nth) =>
    room.client.completePasswordReset({ email, resetToken, password: passwordOf(nth) }),
  );
  assert.deepEqual(outcomes, { won: 1, WRONG_RESTORE_TOKEN: AT_ONCE - 1 });
  await winner(room);
});

test("sign-ups with one email make one user, whose last code is good", async (t) => {
  const room = await startRoom(t);
  const codes: string[] = [];
  const outcomes = await race(async (nth) => {
    const { activationCode } = await room.client.register({
      email: nth % 2 === 0 ? email : email.toUpperCase(),
    });
    codes.push(activationCode);
  });
  assert.deepEqual(outcomes, { won: AT_ONCE });
  assert.equal(await userCount(room), 1);
  const completions = await race((nth) =>
    room.client.completeRegistration({ email, code: codes[nth] ?? "", password: PASSWORD }),
  );
  assert.equal(completions["won"], 1);
});

test("sign-ups with one id and many emails make one user", async (t) => {
  const room = await startRoom(t);
  const outcomes = await race((nth) =>
    room.client.register({ email: `user${nth}@example.com`, userId: "ann" }),
  );
  assert.deepEqual(outcomes, { won: 1, USER_ALREADY_EXISTS: AT_ONCE - 1 });
  assert.equal(await userCount(room), 1);
});

test("changes of one password: one wins, the others' old password is wrong", async (t) => {
  const room = await startRoom(t);
  const { id: userId } = await signUp(room.client, email);
  const outcomes = await race((nth) =>
    room.client.changePassword({ userId, oldPassword: PASSWORD, newPassword: passwordOf(nth) }),
  );
  assert.deepEqual(outcomes, { won: 1, WRONG_PASSWORD: AT_ONCE - 1 });
});

test("social sign-ins of one new user make one user", async (t) => {
  const room = await startRoom(t);
  const begun: Awaited<ReturnType<typeof beginAtFacebook>>[] = [];
  for (let nth = 0; nth < AT_ONCE; nth++) begun.push(await beginAtFacebook(room));
  const outcomes = await race((nth) => room.client.socialAuth(begun[nth] ?? {}));
  assert.deepEqual(outcomes, { won: AT_ONCE });
  assert.equal(await userCount(room), 1);
});

test("a registration and a verified social sign-in with one email make one user", async (t) => {
  const room = await startRoom(t, { facebook: { trustEmail: true } });
  const { activationCode: code } = await room.client.register({ email });
  const begun = await beginAtFacebook(room);
  const outcomes = await race((nth) =>
    nth === 0
      ? room.client.socialAuth(begun)
      : room.client.completeRegistration({ email, code, password: passwordOf(nth) }),
  );
  assert.equal(outcomes["won"], outcomes["USER_ALREADY_ACTIVE"] === AT_ONCE - 1 ? 1 : 2);
  assert.equal(await userCount(room), 1);
  const { user } = await room.client.getUser({ key: { case: "email", value: email } });
  assert.equal(user?.socialAccounts.length, 1);
});

test("a sign-in and a deactivation leave no session behind", async (t) => {
  const room = await startRoom(t);
  const { id: userId } = await signUp(room.client, email);
  const tokens: string[] = [];
  await race(async (nth) => {
    if (nth === AT_ONCE / 2) await room.client.deactivateUser({ userId });
    else tokens.push(await signIn(room.client, email));
  });
  for (const token of tokens) await refused(room.client.checkSession({ token }), "USER_NOT_ACTIVE");
});

test("a sign-in with the old password and a reset leave no session behind", async (t) => {
  const room = await startRoom(t);
  await signUp(room.client, email);
  const { resetToken } = await room.client.requestPasswordReset({ email });
  const tokens: string[] = [];
  await race(async (nth) => {
    if (nth > 0) tokens.push(await signIn(room.client, email));
    else await room.client.completePasswordReset({ email, resetToken, password: passwordOf(0) });
  });
  for (const token of tokens) {
    await refused(room.client.checkSession({ token }), "NOT_AUTHENTICATED");
  }
});
