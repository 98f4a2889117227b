import assert from "node:assert/strict";
import type { AuditEvent, AuditQuery, AuthRepository } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import {
  DAY,
  email,
  hashOf,
  makeActive,
  NOW,
  passwordSignIn,
  register,
  signInByPassword,
  signInWithToken,
} from "./fixtures.ts";

const everything: AuditQuery = {
  limit: 1_000,
  after: undefined,
  userId: undefined,
  startTime: undefined,
  endTime: undefined,
};

/** What an event of ann's tells where nothing else is said. */
const blank = {
  time: NOW,
  userId: "ann",
  sessionId: "",
  provider: "",
  address: "",
  device: "",
  reason: "",
  count: 1,
};

export function listEvents(
  repository: AuthRepository,
  given: Partial<AuditQuery> = {},
): Promise<readonly AuditEvent[]> {
  return repository.listEvents({ ...everything, ...given });
}

/** Records failures that are told apart by their reasons. */
async function record(
  repository: AuthRepository,
  ...events: readonly { readonly reason: string; readonly time: number; readonly userId?: string }[]
): Promise<void> {
  for (const event of events) await repository.recordEvent({ type: "sign_in_failed", ...event });
}

function reasonsOf(events: readonly AuditEvent[]): string {
  return events.map(({ reason }) => reason).join(" ");
}

export const auditCases: Cases = {
  async "events are listed the newest first, those of one millisecond too"(storage) {
    const repository = await storage.open();
    const full = {
      type: "sign_in_failed",
      time: NOW,
      userId: "ann",
      sessionId: "s",
      provider: "vk",
      address: "192.0.2.1",
      device: "Phone \u{1F600}",
      reason: "a",
      count: 3,
    } as const;
    await repository.recordEvent(full);
    await record(repository, { reason: "b", time: NOW }, { reason: "c", time: NOW + 1 });
    const events = await listEvents(repository);
    assert.equal(reasonsOf(events), "c b a");
    const { id, ...told } = events[2] ?? {};
    assert.deepEqual(told, full);
    assert.equal(new Set(events.map((event) => event.id)).size, 3);
    assert.ok(id);
  },

  async "an event tells how many times it stands for, once where nothing is said"(storage) {
    const repository = await storage.open();
    const refusal = { type: "sign_in_failed", time: NOW, reason: "TOO_MANY_ATTEMPTS" } as const;
    await repository.recordEvent(refusal);
    await repository.recordEvent({ ...refusal, count: 123_456 });
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(
      (await listEvents(reopened)).map(({ count }) => count),
      [123_456, 1],
    );
  },

  async "events are filtered by user, by start time and by end time"(storage) {
    const repository = await storage.open();
    const ann = { userId: "ann" };
    await record(
      repository,
      { reason: "a", time: NOW, ...ann },
      { reason: "b", time: NOW },
      { reason: "c", time: NOW + 1, ...ann },
      { reason: "d", time: NOW + 2, userId: "Ann" },
      { reason: "e", time: NOW + 3, ...ann },
    );
    const list = async (given: Partial<AuditQuery>): Promise<string> =>
      reasonsOf(await listEvents(repository, given));
    assert.equal(await list(ann), "e c a");
    assert.equal(await list({ userId: "bob" }), "");
    assert.equal(await list({ startTime: NOW + 1 }), "e d c");
    assert.equal(await list({ endTime: NOW + 1 }), "b a");
    assert.equal(await list({ startTime: NOW + 1, endTime: NOW + 3, ...ann }), "c");
    assert.equal(await list({ startTime: NOW + 1, endTime: NOW + 1 }), "");
  },

  async "a list goes on after an event, whatever came meanwhile"(storage) {
    const repository = await storage.open();
    const times = [0, 0, 0, 1, 1, 2];
    const events = times.map((ms, nth) => ({ reason: `${nth}`, time: NOW + ms, userId: "ann" }));
    await record(repository, ...events);
    for (const userId of [undefined, "ann"]) {
      const told: string[] = [];
      let after: AuditQuery["after"];
      for (;;) {
        const page = await listEvents(repository, { limit: 2, after, userId, endTime: NOW + 3 });
        if (page.length === 0) break;
        told.push(reasonsOf(page));
        after = page.at(-1);
        await record(repository, { reason: "late", time: NOW + 3, userId: "ann" });
      }
      assert.deepEqual(told, ["5 4", "3 2", "1 0"]);
    }
  },

  async "events stay when their user is deleted, in a reopened store too"(storage) {
    const repository = await storage.open();
    await register(repository, "ann@example.com", { userId: "ann" });
    await repository.deleteUser({ userId: "ann", now: NOW + 1 });
    const events = await listEvents(repository, { userId: "ann" });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["deleted", "registered"],
    );
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(await listEvents(reopened, { userId: "ann" }), events);
  },

  async "every change of an account leaves its event with it"(storage) {
    const repository = await storage.open();
    const ann = { userId: "ann", now: NOW };
    const code = { emailKey: "ann@example.com", codeHash: hashOf("code"), now: NOW };
    const reset = { ...code, tokenHash: hashOf("reset"), mail: undefined };
    const device = { device: "Phone", address: "192.0.2.1" };
    const signedIn = (given: object): object => ({ type: "signed_in", ...device, ...given });
    const steps: readonly [() => Promise<unknown>, ...object[]][] = [
      [() => register(repository, "ann@example.com", { ...ann, ...code }), { type: "registered" }],
      [
        () => repository.completeRegistration({ ...code, passwordHash: "hash" }),
        { type: "registration_completed" },
      ],
      [
        () => {
          const asked = passwordSignIn("ann", "one");
          const session = { ...asked.session, id: "s1", ...device };
          return repository.signInByPassword({ ...asked, session });
        },
        signedIn({ sessionId: "s1" }),
      ],
      [
        () =>
          signInWithToken(repository, "two", {
            account: { provider: "vk", email: email("ann@example.com"), emailVerified: true },
            session: { id: "s2", ...device },
          }),
        signedIn({ sessionId: "s2", provider: "vk" }),
        { type: "social_account_linked", provider: "vk" },
      ],
      [
        () => repository.endSession({ tokenHash: hashOf("two"), now: NOW }),
        { type: "signed_out", sessionId: "s2", provider: "vk" },
      ],
      [
        () => repository.updateProfile({ ...ann, profile: { locale: "de" }, maxBytes: 100 }),
        { type: "profile_updated" },
      ],
      [
        async () => {
          await signInByPassword(repository, "ann", "three", {
            session: { ...passwordSignIn("ann", "three").session, id: "s3", ...device },
          });
          await repository.changePassword({
            ...ann,
            attemptId: "",
            passwordHash: "hash",
            newPasswordHash: "hash 2",
            keptTokenHash: hashOf("three"),
            mail: undefined,
          });
        },
        { type: "password_changed", sessionId: "s3" },
        { type: "session_revoked", sessionId: "s1" },
        signedIn({ sessionId: "s3" }),
      ],
      [
        () => repository.saveResetToken({ ...reset, expireTime: NOW + DAY }),
        { type: "password_reset_requested" },
      ],
      [
        () => repository.completePasswordReset({ ...reset, passwordHash: "hash 3" }),
        { type: "password_reset_completed" },
        { type: "session_revoked", sessionId: "s3" },
      ],
      [() => repository.deactivateUser(ann), { type: "deactivated" }],
      [() => repository.deactivateUser(ann)],
      [() => repository.activateUser(ann), { type: "activated" }],
      [() => repository.activateUser(ann)],
      [() => repository.deleteUser(ann), { type: "deleted" }],
      [() => makeActive(repository, "ann@example.com", { userId: "ann" }), { type: "imported" }],
    ];
    let told = 0;
    for (const [step, ...expected] of steps) {
      await step();
      const events = await listEvents(repository, { userId: "ann" });
      assert.deepEqual(
        events.slice(0, events.length - told).map(({ id, ...event }) => event),
        expected.map((event) => ({ ...blank, ...event })),
      );
      told = events.length;
    }
  },
};
