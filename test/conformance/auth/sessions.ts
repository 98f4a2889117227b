import assert from "node:assert/strict";
import type { SessionPlace } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import {
  CONFIGURED,
  checkToken,
  DAY,
  email,
  hashOf,
  liveSession,
  MINUTE,
  makeActive,
  NOW,
  RENEW_WITHIN,
  SESSION_LIFE,
  type SignedIn,
  signIn,
  signInByPassword,
  signInWithToken,
  toldAccount,
} from "./fixtures.ts";

/** The first millisecond in which a session opened at NOW is renewed. */
const RENEWAL = NOW + SESSION_LIFE - RENEW_WITHIN;

const unknown = { outcome: "unknown" };

export const sessionCases: Cases = {
  async "a session is found by its token, in a reopened store too"(storage) {
    const repository = await storage.open();
    const opened = await signInWithToken(repository, "token", {
      session: { id: "s1", device: "Laptop \u{1F600}", address: "2001:db8::1" },
    });
    await signInWithToken(repository, "other", { account: { socialId: "2" } });
    assert.deepEqual(opened.session, {
      id: "s1",
      provider: "facebook",
      device: "Laptop \u{1F600}",
      address: "2001:db8::1",
      createTime: NOW,
      lastSeenTime: NOW,
      expireTime: NOW + SESSION_LIFE,
    });
    const found = await liveSession(repository, "token");
    assert.deepEqual(found, { session: opened.session, user: opened.user, successor: "" });
    assert.deepEqual(await checkToken(repository, "Token"), unknown);
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(await liveSession(reopened, "token"), found);
  },

  async "a session is over at its expire time"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token");
    const over = NOW + SESSION_LIFE;
    assert.deepEqual(await checkToken(repository, "token", { now: over }), unknown);
    const request = { tokenHash: hashOf("token"), now: over };
    assert.equal(await repository.endSession(request), false);
    await liveSession(repository, "token", { now: over - 1 });
  },

  async "a check tells what is so at its time, however soon after another one"(storage) {
    const repository = await storage.open();
    const { user, session } = await signInWithToken(repository, "token");
    const { id: userId } = user;
    const google = toldAccount({ email: email("ann@example.com"), emailVerified: true });
    const account = { provider: "facebook", socialId: "1", sealedCredentials: "sealed" };
    const profile = { firstName: "Bob", lastName: "", picture: "", locale: "" };
    const told = { email: email("bob@example.com"), emailVerified: true, profile };
    const changes = [
      () => repository.updateProfile({ userId, profile, maxBytes: 1_000, now: NOW }),
      () => repository.linkSocialAccount({ account: google, sessionId: session.id, now: NOW }),
      () =>
        repository.keepSocialCheck({
          account,
          sealedCredentials: "sealed",
          confirmed: true,
          told: { ...told, profile: { ...profile, firstName: "Carl" } },
          now: NOW,
        }),
      () => signIn(repository, { account: { email: email("dora@example.com") } }),
      () =>
        repository.unlinkSocialAccount({
          userId,
          provider: "google",
          configured: CONFIGURED,
          now: NOW,
        }),
    ];
    for (const change of changes) {
      const before = await liveSession(repository, "token");
      await change();
      const after = await liveSession(repository, "token");
      assert.notDeepEqual(after.user, before.user, `${change}`);
      assert.deepEqual(after.user, await repository.findUser({ userId }));
    }
    const later = NOW + SESSION_LIFE;
    const ends: ((one: SignedIn & { tokenHash: Uint8Array; socialId: string }) => unknown)[] = [
      ({ tokenHash }) => repository.endSession({ tokenHash, now: NOW }),
      ({ user: { id } }) =>
        repository.revokeSessions({ userId: id, sessionIds: undefined, now: NOW }),
      ({ user: { id } }) => repository.deactivateUser({ userId: id, now: NOW }),
      ({ user: { id } }) => repository.deleteUser({ userId: id, now: NOW }),
      ({ socialId }) => repository.withdrawConsent({ ...account, socialId, now: NOW }),
      () =>
        repository.sweep({
          now: later,
          attemptsBefore: later,
          eventsBefore: later,
          revocationsBefore: later,
          limit: 100,
        }),
    ];
    for (const [index, end] of ends.entries()) {
      const socialId = `end ${index}`;
      const one = await signInWithToken(repository, socialId, { account: { socialId } });
      await liveSession(repository, socialId);
      await end({ ...one, socialId, tokenHash: hashOf(socialId) });
      assert.notEqual((await checkToken(repository, socialId)).outcome, "live", `${end}`);
    }
  },

  async "a session that ends soon is renewed, and keeps its id"(storage) {
    const repository = await storage.open();
    const opened = await signInWithToken(repository, "token");
    const early = await liveSession(repository, "token", { now: RENEWAL - 1 });
    assert.equal(early.successor, "");
    assert.equal(early.session.expireTime, NOW + SESSION_LIFE);
    const renewed = await liveSession(repository, "token", { now: RENEWAL, successor: "next" });
    assert.equal(renewed.successor, "next");
    assert.deepEqual(renewed.session, {
      ...opened.session,
      lastSeenTime: RENEWAL,
      expireTime: RENEWAL + SESSION_LIFE,
    });
    const next = await liveSession(repository, "next", { now: NOW + SESSION_LIFE + DAY });
    assert.equal(next.successor, "");
    assert.equal(next.session.id, opened.session.id);
  },

  async "after a renewal the old token works until its time and leads to the same successor"(
    storage,
  ) {
    const repository = await storage.open();
    await signInWithToken(repository, "token");
    await liveSession(repository, "token", { now: RENEWAL, successor: "next" });
    const late = { now: RENEWAL + MINUTE - 1, successor: "not this one" };
    const old = await liveSession(repository, "token", late);
    assert.equal(old.successor, "next");
    assert.equal(old.session.expireTime, RENEWAL + SESSION_LIFE);
    const over = RENEWAL + MINUTE;
    assert.deepEqual(await checkToken(repository, "token", { now: over }), unknown);
    assert.deepEqual(await checkToken(repository, "not this one", { now: over }), unknown);
    await liveSession(repository, "next", { now: over });
  },

  async "checks of a session that ends soon, at once, all succeed and renew it once"(storage) {
    const repository = await storage.open();
    const opened = await signInWithToken(repository, "token");
    const checks = Array.from({ length: 8 }, (_, nth) =>
      liveSession(repository, "token", { now: RENEWAL, successor: `next ${nth}` }),
    );
    const answers = await Promise.all(checks);
    const successors = new Set(answers.map(({ successor }) => successor));
    assert.equal(successors.size, 1);
    const [successor = ""] = successors;
    const next = await liveSession(repository, successor, { now: RENEWAL + MINUTE });
    assert.equal(next.session.id, opened.session.id);
  },

  async "a check without a renewal leaves the session as it is"(storage) {
    const repository = await storage.open();
    const opened = await signInWithToken(repository, "token");
    const check = { tokenHash: hashOf("token"), renewal: undefined, ask: undefined };
    const last = NOW + SESSION_LIFE - 1;
    const outcome = await repository.checkSession({ ...check, now: last });
    assert.equal(outcome.outcome, "live");
    assert.equal(outcome.successorSalt, undefined);
    assert.deepEqual(outcome.session, { ...opened.session, lastSeenTime: last });
    const over = await repository.checkSession({ ...check, now: last + 1 });
    assert.deepEqual(over, unknown);
  },

  async "a session of a deactivated user is answered with user_not_active"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "token");
    await repository.deactivateUser({ userId: user.id, now: NOW });
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "user_not_active" });
    const request = { tokenHash: hashOf("token"), now: NOW };
    assert.equal(await repository.endSession(request), false);
  },

  async "a social session tells when its account's provider was not asked for long, and tells it once"(
    storage,
  ) {
    const repository = await storage.open();
    const account = { socialId: "1", sealedCredentials: "first" };
    await signInWithToken(repository, "token", { account });
    await signInWithToken(repository, "other device", { account, now: NOW + MINUTE });
    await signInWithToken(repository, "another's", { account: { socialId: "2" } });
    const { id } = await makeActive(repository, "ann@example.com");
    await signInByPassword(repository, id, "by password");
    const confirmed = NOW + MINUTE;
    const due = async (token: string, confirmedUntil: number, askedUntil: number, now: number) => {
      const ask = { confirmedUntil, askedUntil };
      const outcome = await checkToken(repository, token, { now, ask });
      assert.equal(outcome.outcome, "live");
      return outcome.dueAccount;
    };
    const now = NOW + DAY;
    assert.equal(await due("token", confirmed - 1, now, now), undefined);
    assert.equal(await due("token", now, confirmed - 1, now), undefined);
    assert.equal(await due("by password", now, now, now), undefined);
    const checks = ["token", "other device", "token", "other device"].map((token) =>
      due(token, confirmed, confirmed, now),
    );
    const told = (await Promise.all(checks)).filter((one) => one !== undefined);
    const mine = { provider: "facebook", socialId: "1", sealedCredentials: "first" };
    assert.deepEqual(told, [mine]);
    assert.equal(await due("token", now, now - 1, now + MINUTE), undefined);
    assert.deepEqual(await due("other device", now, now, now + MINUTE), mine);
    await signInWithToken(repository, "again", { account, now: now + MINUTE });
    assert.equal(await due("token", now, now + MINUTE, now + MINUTE), undefined);
  },

  async "live sessions are listed the newest first, and none of another user"(storage) {
    const repository = await storage.open();
    const opened = [];
    for (const [nth, token] of ["one", "two", "three", "gone"].entries()) {
      const session = { id: token, device: `Device ${nth}` };
      const given = { newUserId: "ann", session, now: NOW + Math.floor(nth / 2) };
      opened.push((await signInWithToken(repository, token, given)).session);
    }
    const shorter = { id: "short", expireTime: NOW + MINUTE };
    await signInWithToken(repository, "short", { session: shorter });
    await signInWithToken(repository, "another's", { account: { socialId: "2" } });
    await repository.endSession({ tokenHash: hashOf("gone"), now: NOW });
    const [one, two, three] = opened;
    const query = { userId: "ann", now: NOW + MINUTE, limit: 3, after: undefined };
    const listed = await repository.listSessions(query);
    assert.deepEqual(listed, { sessions: [three, two, one], next: undefined });
    await repository.deactivateUser({ userId: "ann", now: NOW + MINUTE });
    const none = await repository.listSessions(query);
    assert.deepEqual(none, { sessions: [], next: undefined });
    assert.equal(await repository.listSessions({ ...query, userId: "nobody" }), undefined);
  },

  async "a list of sessions goes on after a place, whatever came and went meanwhile"(storage) {
    const repository = await storage.open();
    // Several are of one millisecond.
    const times = [0, 1, 1, 1, 1, 2, 3];
    for (const [nth, ms] of times.entries()) {
      const session = { id: `${nth}` };
      await signInWithToken(repository, `${nth}`, { newUserId: "ann", session, now: NOW + ms });
    }
    const told: string[] = [];
    let after: SessionPlace | undefined;
    do {
      const query = { userId: "ann", now: NOW + MINUTE, limit: 2, after };
      const page = await repository.listSessions(query);
      assert.ok(page);
      told.push(page.sessions.map(({ id }) => id).join(" "));
      after = page.next;
      // The last one of the page ends, and a new one begins.
      const ended = page.sessions.at(-1)?.id ?? "";
      await repository.endSession({ tokenHash: hashOf(ended), now: NOW + MINUTE });
      await signInWithToken(repository, `new ${ended}`, { now: NOW + MINUTE });
    } while (after !== undefined);
    assert.deepEqual(told, ["6 5", "4 3", "2 1", "0"]);
  },

  async "sessions are revoked by id, and what is not the user's own is passed over"(storage) {
    const repository = await storage.open();
    const given = { newUserId: "ann" };
    for (const id of ["one", "two", "three"]) {
      await signInWithToken(repository, id, { ...given, session: { id } });
    }
    const others = { account: { socialId: "2" }, session: { id: "another's" } };
    await signInWithToken(repository, "another's", others);
    const sessionIds = ["one", "another's", "unknown", "one", "Two", "three"];
    const request = { userId: "ann", sessionIds, now: NOW };
    assert.equal(await repository.revokeSessions(request), 2);
    assert.equal(await repository.revokeSessions(request), 0);
    assert.equal(await repository.revokeSessions({ ...request, sessionIds: [] }), 0);
    for (const token of ["one", "three"]) {
      assert.deepEqual(await checkToken(repository, token), unknown);
    }
    for (const token of ["two", "another's"]) await liveSession(repository, token);
    assert.equal(await repository.revokeSessions({ ...request, userId: "nobody" }), undefined);
  },

  async "every session of the user is revoked where no ids are given"(storage) {
    const repository = await storage.open();
    for (const token of ["one", "two"]) {
      await signInWithToken(repository, token, { newUserId: "ann" });
    }
    await signInWithToken(repository, "another's", { account: { socialId: "2" } });
    const request = { userId: "ann", sessionIds: undefined, now: NOW };
    assert.equal(await repository.revokeSessions(request), 2);
    assert.equal(await repository.revokeSessions(request), 0);
    assert.deepEqual(await checkToken(repository, "one"), unknown);
    await liveSession(repository, "another's");
  },

  async "an ended session is unknown, and is ended once"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token");
    await signInWithToken(repository, "other");
    const request = { tokenHash: hashOf("token"), now: NOW };
    const ended = await Promise.all([
      repository.endSession(request),
      repository.endSession(request),
    ]);
    assert.deepEqual(ended.sort(), [false, true]);
    assert.deepEqual(await checkToken(repository, "token"), unknown);
    assert.equal((await checkToken(repository, "other")).outcome, "live");
    assert.equal(await repository.endSession({ ...request, tokenHash: hashOf("none") }), false);
  },

  async "a session beyond the most of a user ends the oldest, which is revoked"(storage) {
    const repository = await storage.open();
    const before = await repository.lastRevocation();
    const names = ["a", "b", "c", "d", "e"];
    for (const [nth, name] of names.entries()) {
      const session = { id: name, mostOfUser: 3 };
      await signInWithToken(repository, name, { session, now: NOW + nth });
    }
    // Another user's sessions are not touched.
    await signInWithToken(repository, "other", { account: { socialId: "2" } });
    const now = NOW + 10;
    for (const [nth, name] of names.entries()) {
      const { outcome } = await checkToken(repository, name, { now });
      assert.equal(outcome, nth < 2 ? "unknown" : "live", name);
    }
    const revoked = await repository.listRevocations({ after: before, limit: 10 });
    assert.deepEqual(
      revoked.map(({ sessionId }) => sessionId),
      ["a", "b"],
    );
    // A smaller limit than before ends as many as it takes.
    await signInWithToken(repository, "f", { session: { id: "f", mostOfUser: 1 }, now });
    assert.equal((await checkToken(repository, "e", { now })).outcome, "unknown");
    assert.equal((await checkToken(repository, "f", { now })).outcome, "live");
  },

  async "the old token of a renewed session ends it too, until its time"(storage) {
    const repository = await storage.open();
    await signInWithToken(repository, "token");
    await liveSession(repository, "token", { now: RENEWAL, successor: "next" });
    const over = { tokenHash: hashOf("token"), now: RENEWAL + MINUTE };
    assert.equal(await repository.endSession(over), false);
    assert.equal(await repository.endSession({ ...over, now: over.now - 1 }), true);
    assert.deepEqual(await checkToken(repository, "next", { now: RENEWAL }), unknown);
  },
};
