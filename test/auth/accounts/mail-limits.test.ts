import assert from "node:assert/strict";
import { describe } from "node:test";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { parseEmail } from "../../../src/auth/accounts/email.ts";
import { createMailLimiter } from "../../../src/auth/accounts/mail-limiter.ts";
import type { MailQueue, QueuedMail } from "../../../src/auth/mail/mail-outbox.ts";
import { test } from "../../support/on-each-storage.ts";
import { temporaryFolder } from "../../support/process.ts";
import { StepClock } from "../../support/step-clock.ts";
import { eventsOf, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../accounts.ts";
import { repositoriesFor } from "../repositories.ts";
import { MINUTE, refused, startRoom } from "../room.ts";

const email = "ann@example.com";

async function refusedFor(call: Promise<unknown>): Promise<number> {
  const error = await refused(call, "TOO_MANY_ATTEMPTS");
  const [retry] = error.findDetails(RetryInfoSchema);
  assert.ok(retry?.retryDelay);
  return durationMs(retry.retryDelay);
}

describe("Mail to one address", () => {
  test("is five in 15 minutes, of all kinds together and in any spelling", async (t) => {
    const { client, clock } = await startRoom(t);
    const { id } = await signUp(client, email);
    clock.step(MINUTE);
    for (const spelling of [email, "ANN@example.com", "ann@EXAMPLE.com", email]) {
      await client.requestPasswordReset({ email: spelling });
    }
    assert.equal(await refusedFor(client.requestPasswordReset({ email })), 14 * MINUTE);
    assert.equal(await refusedFor(client.register({ email })), 14 * MINUTE);
    await signUp(client, "bob@example.com");
    // A refusal is no mail: it does not count.
    clock.step(14 * MINUTE - 1);
    assert.equal(await refusedFor(client.requestPasswordReset({ email })), 1);
    clock.step(1);
    const { resetToken } = await client.requestPasswordReset({ email });
    assert.equal(await refusedFor(client.requestPasswordReset({ email })), MINUTE);
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
    assert.equal(await refusedFor(client.requestPasswordReset({ email })), MINUTE);
    await signIn(client, email, OTHER_PASSWORD);
    const asked = (await eventsOf(client, id)).filter(
      ({ type }) => type === AuditEventType.PASSWORD_RESET_REQUESTED,
    );
    assert.equal(asked.length, 5);
  });

  test("is counted alike whether or not a user has it", async (t) => {
    const { client } = await startRoom(t);
    await signUp(client, email);
    await client.register({ email: "pending@example.com" });
    const others = [
      { to: email, left: 4, register: "USER_ALREADY_EXISTS", reset: undefined },
      { to: "pending@example.com", left: 4, register: undefined, reset: "USER_NOT_ACTIVE" },
      { to: "nobody@example.com", left: 5, register: undefined, reset: "USER_NOT_FOUND" },
    ] as const;
    for (const { to, left, reset } of others) {
      for (let nth = 0; nth < left; nth++) {
        const call = client.requestPasswordReset({ email: to });
        await (reset === undefined ? call : refused(call, reset));
      }
      assert.equal(await refusedFor(client.requestPasswordReset({ email: to })), 15 * MINUTE);
      assert.equal(await refusedFor(client.register({ email: to })), 15 * MINUTE);
    }
    const known = "known@example.com";
    await client.importUsers({ users: [{ email: known }] });
    for (let nth = 0; nth < 5; nth++) {
      await refused(client.register({ email: known }), "USER_ALREADY_EXISTS");
    }
    await refusedFor(client.register({ email: known }));
  });

  test("and wrong passwords have nothing to do with each other", async (t) => {
    const { client } = await startRoom(t);
    await signUp(client, email);
    for (let nth = 0; nth < 10; nth++) {
      await refused(client.signIn({ email, password: OTHER_PASSWORD }), "WRONG_PASSWORD");
    }
    await refusedFor(client.signIn({ email, password: PASSWORD }));
    const { resetToken } = await client.requestPasswordReset({ email });
    await client.completePasswordReset({ email, resetToken, password: PASSWORD });
    for (let nth = 0; nth < 3; nth++) await client.requestPasswordReset({ email });
    await refusedFor(client.requestPasswordReset({ email }));
    await signIn(client, email);
  });

  test("is as much as the setting says", async (t) => {
    const { client } = await startRoom(t, { settings: { maxMailsPerAddress: 1 } });
    await client.register({ email });
    await refusedFor(client.register({ email }));
  });

  test("is never held back where it tells of a changed password, and counts", async (t) => {
    const sent: QueuedMail[] = [];
    const mailQueue: MailQueue = { put: async (mails) => void sent.push(...mails) };
    const { client } = await startRoom(t, { mailQueue });
    const { id: userId } = await signUp(client, email);
    const passwords = [PASSWORD, OTHER_PASSWORD];
    const change = (nth: number) =>
      client.changePassword({
        userId,
        oldPassword: passwords[nth % 2] ?? "",
        newPassword: passwords[(nth + 1) % 2] ?? "",
      });
    for (let nth = 0; nth < 4; nth++) await change(nth);
    await refusedFor(client.requestPasswordReset({ email }));
    await change(4);
    const notices = () => sent.filter(({ mail }) => mail.kind === "password_changed").length;
    while (notices() < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

test("a restart forgets no mail", async (t) => {
  const repositories = await repositoriesFor(t, temporaryFolder(t));
  t.after(() => repositories.close());
  const clock = new StepClock();
  const to = parseEmail(email);
  assert.ok(to);
  const before = createMailLimiter(await repositories.open(), clock, 2);
  await before.count(to);
  clock.step(MINUTE);
  await before.count(to);
  await repositories.close();
  const after = createMailLimiter(await repositories.open(), clock, 2);
  const locked = { reason: "TOO_MANY_ATTEMPTS", retryAfterMs: 14 * MINUTE };
  await assert.rejects(after.count(to), locked);
  await after.countNotice(to);
  await assert.rejects(after.count(to), locked);
});
