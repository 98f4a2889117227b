import assert from "node:assert/strict";
import { type Client, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { PASSWORD, signIn, signUp } from "./accounts.ts";
import { beginAtFacebook, refused } from "./room.ts";

type AuthClient = Client<typeof AuthService>;

/** One service, by one or several ways to call it, such as one for each of its instances. */
export type Doors = readonly [AuthClient, ...AuthClient[]];

export interface RaceCase {
  readonly name: string;
  /** Whether the service must take Facebook's emails for verified. */
  readonly trustEmail?: boolean;
  run(doors: Doors): Promise<void>;
}

const email = "ann@example.com";
const AT_ONCE = 8;

/** The racers go through the doors in turn. */
function doorOf(doors: Doors, nth: number): AuthClient {
  return doors[nth % doors.length] ?? doors[0];
}

/** Calls so many times at once and counts the answers by reason; "won" is success. */
export async function race(
  doors: Doors,
  call: (client: AuthClient, nth: number) => Promise<unknown>,
  times = AT_ONCE,
): Promise<Record<string, number>> {
  const calls = Array.from({ length: times }, (_, nth) => call(doorOf(doors, nth), nth));
  const outcomes = await Promise.allSettled(calls);
  const reasons = outcomes.map((outcome) =>
    outcome.status === "fulfilled"
      ? "won"
      : (ConnectError.from(outcome.reason).findDetails(ErrorInfoSchema)[0]?.reason ?? "none"),
  );
  const groups = Map.groupBy(reasons, (reason) => reason);
  return Object.fromEntries([...groups].map(([reason, each]) => [reason, each.length]));
}

/** Every door must show as many. */
async function countsUsers(doors: Doors, count: number): Promise<void> {
  for (const client of doors) assert.equal((await client.listUsers({})).users.length, count);
}

function passwordOf(nth: number): string {
  return `${PASSWORD}-${nth}`;
}

/** One of the racers' passwords is right, at whichever door. */
async function hasWinner(doors: Doors): Promise<void> {
  for (let nth = 0; nth < AT_ONCE; nth++) {
    // Not the racer's own door.
    const signedIn = await doorOf(doors, nth + 1)
      .signIn({ email, password: passwordOf(nth) })
      .catch(() => undefined);
    if (signedIn !== undefined) return;
  }
  assert.fail("nobody's password is right");
}

/** No door lets any of the tokens in. */
async function allRefused(
  doors: Doors,
  tokens: readonly string[],
  reason: "USER_NOT_ACTIVE" | "NOT_AUTHENTICATED",
): Promise<void> {
  for (const token of tokens) {
    for (const client of doors) await refused(client.checkSession({ token }), reason);
  }
}

export const raceCases: readonly RaceCase[] = [
  {
    name: "completions with one code: one wins, the others find the user active",
    async run(doors) {
      const { activationCode: code } = await doors[0].register({ email });
      const outcomes = await race(doors, (client, nth) =>
        client.completeRegistration({ email, code, password: passwordOf(nth) }),
      );
      assert.deepEqual(outcomes, { won: 1, USER_ALREADY_ACTIVE: AT_ONCE - 1 });
      await hasWinner(doors);
      await countsUsers(doors, 1);
    },
  },
  {
    name: "resets with one token: one wins, the others' token is used",
    async run(doors) {
      await signUp(doors[0], email);
      const { resetToken } = await doors[0].requestPasswordReset({ email });
      const outcomes = await race(doors, (client, nth) =>
        client.completePasswordReset({ email, resetToken, password: passwordOf(nth) }),
      );
      assert.deepEqual(outcomes, { won: 1, WRONG_RESTORE_TOKEN: AT_ONCE - 1 });
      await hasWinner(doors);
    },
  },
  {
    name: "sign-ups with one email make one user, whose last code is good, and no more mail than may",
    async run(doors) {
      const codes: string[] = [];
      const outcomes = await race(doors, async (client, nth) => {
        const { activationCode } = await client.register({
          email: nth % 4 < 2 ? email : email.toUpperCase(),
        });
        codes.push(activationCode);
      });
      // As many mails as one address gets.
      assert.deepEqual(outcomes, { won: 5, TOO_MANY_ATTEMPTS: AT_ONCE - 5 });
      await countsUsers(doors, 1);
      const completions = await race(doors, (client, nth) =>
        client.completeRegistration({ email, code: codes[nth] ?? "", password: PASSWORD }),
      );
      assert.equal(completions["won"], 1);
    },
  },
  {
    name: "sign-ups with one id and many emails make one user",
    async run(doors) {
      const outcomes = await race(doors, (client, nth) =>
        client.register({ email: `user${nth}@example.com`, userId: "ann" }),
      );
      assert.deepEqual(outcomes, { won: 1, USER_ALREADY_EXISTS: AT_ONCE - 1 });
      await countsUsers(doors, 1);
    },
  },
  {
    name: "changes of one password: one wins, the others' old password is wrong",
    async run(doors) {
      const { id: userId } = await signUp(doors[0], email);
      const outcomes = await race(doors, (client, nth) =>
        client.changePassword({ userId, oldPassword: PASSWORD, newPassword: passwordOf(nth) }),
      );
      assert.deepEqual(outcomes, { won: 1, WRONG_PASSWORD: AT_ONCE - 1 });
    },
  },
  {
    name: "social sign-ins of one new user make one user",
    async run(doors) {
      const begun: Awaited<ReturnType<typeof beginAtFacebook>>[] = [];
      for (let nth = 0; nth < AT_ONCE; nth++) {
        // Not where it goes on, as it may be behind a load balancer.
        begun.push(await beginAtFacebook({ client: doorOf(doors, nth + 1) }));
      }
      const outcomes = await race(doors, (client, nth) => client.socialAuth(begun[nth] ?? {}));
      assert.deepEqual(outcomes, { won: AT_ONCE });
      await countsUsers(doors, 1);
    },
  },
  {
    name: "a registration and a verified social sign-in with one email make one user",
    trustEmail: true,
    async run(doors) {
      const { activationCode: code } = await doors[0].register({ email });
      const begun = await beginAtFacebook({ client: doors[0] });
      const outcomes = await race(doors, (client, nth) =>
        nth === 0
          ? client.socialAuth(begun)
          : client.completeRegistration({ email, code, password: passwordOf(nth) }),
      );
      assert.equal(outcomes["won"], outcomes["USER_ALREADY_ACTIVE"] === AT_ONCE - 1 ? 1 : 2);
      await countsUsers(doors, 1);
      const { user } = await doors[0].getUser({ key: { case: "email", value: email } });
      assert.equal(user?.socialAccounts.length, 1);
    },
  },
  {
    name: "a sign-in and a deactivation leave no session behind",
    async run(doors) {
      const { id: userId } = await signUp(doors[0], email);
      const tokens: string[] = [];
      await race(doors, async (client, nth) => {
        if (nth === AT_ONCE / 2) await client.deactivateUser({ userId });
        else tokens.push(await signIn(client, email));
      });
      await allRefused(doors, tokens, "USER_NOT_ACTIVE");
    },
  },
  {
    name: "a sign-in with the old password and a reset leave no session behind",
    async run(doors) {
      await signUp(doors[0], email);
      const { resetToken } = await doors[0].requestPasswordReset({ email });
      const tokens: string[] = [];
      await race(doors, async (client, nth) => {
        if (nth > 0) tokens.push(await signIn(client, email));
        else await client.completePasswordReset({ email, resetToken, password: passwordOf(0) });
      });
      await allRefused(doors, tokens, "NOT_AUTHENTICATED");
    },
  },
];
