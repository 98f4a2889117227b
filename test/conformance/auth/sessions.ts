import assert from "node:assert/strict";
import type { Cases } from "./cases.ts";
import {
  checkToken,
  DAY,
  hashOf,
  liveSession,
  MINUTE,
  NOW,
  RENEW_WITHIN,
  SESSION_LIFE,
  signInWithToken,
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

  async "a session of a deactivated user is answered with user_not_active"(storage) {
    const repository = await storage.open();
    const { user } = await signInWithToken(repository, "token");
    await repository.deactivateUser({ userId: user.id, now: NOW });
    assert.deepEqual(await checkToken(repository, "token"), { outcome: "user_not_active" });
    const request = { tokenHash: hashOf("token"), now: NOW };
    assert.equal(await repository.endSession(request), false);
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
