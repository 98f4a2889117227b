import assert from "node:assert/strict";
import type { AuthRepository, Revocation } from "../../../src/auth/repository.ts";
import type { Cases } from "../cases.ts";
import {
  DAY,
  hashOf,
  liveSession,
  MINUTE,
  makeActive,
  NOW,
  SESSION_LIFE,
  signInByPassword,
  signInWithToken,
} from "./fixtures.ts";

/** What is kept, as `user` or `user/session`, oldest first. */
async function revoked(repository: AuthRepository, after = 0): Promise<string[]> {
  const listed = await repository.listRevocations({ after, limit: 1_000 });
  return listed.map(({ userId, sessionId }) => userId + (sessionId && `/${sessionId}`));
}

/** Opens a session with an id that is its token too. */
async function open(repository: AuthRepository, userId: string, id: string): Promise<void> {
  const account = { socialId: userId };
  await signInWithToken(repository, id, { newUserId: userId, account, session: { id } });
}

export const revocationCases: Cases<AuthRepository> = {
  async "a revocation is kept of every session that ends before its time"(storage) {
    const repository = await storage.open();
    for (const id of ["out", "one", "two", "three"]) await open(repository, "ann", id);
    await repository.endSession({ tokenHash: hashOf("out"), now: NOW });
    const revoke = { userId: "ann", now: NOW + 1 };
    await repository.revokeSessions({ ...revoke, sessionIds: ["two"] });
    await repository.revokeSessions({ ...revoke, sessionIds: undefined });
    const ended = ["ann/out", "ann/two", "ann/one", "ann/three"];
    assert.deepEqual(await revoked(repository), ended);
    const [first, second] = await repository.listRevocations({ after: 0, limit: 2 });
    assert.equal(first?.time, NOW);
    assert.equal(second?.time, NOW + 1);

    const { id: bob } = await makeActive(repository, "bob@example.com", { userId: "bob" });
    const session = { tokenHash: hashOf("kept"), device: "", address: "", mostOfUser: 100 };
    const expireTime = NOW + SESSION_LIFE;
    await signInByPassword(repository, bob, "kept", {
      session: { ...session, id: "kept", expireTime },
    });
    const other = { ...session, id: "other", tokenHash: hashOf("other"), expireTime };
    await signInByPassword(repository, bob, "other", { session: other });
    const before = await repository.lastRevocation();
    await repository.revokeSessions({ userId: bob, sessionIds: undefined, now: NOW });
    assert.deepEqual(await revoked(repository, before), ["bob/kept", "bob/other"]);
  },

  async "a revocation is kept of a user who is deactivated or deleted, and none of the sessions"(
    storage,
  ) {
    const repository = await storage.open();
    for (const userId of ["ann", "bob"]) {
      for (const nth of [1, 2]) await open(repository, userId, `${userId} ${nth}`);
    }
    await repository.deactivateUser({ userId: "ann", now: NOW });
    await repository.deactivateUser({ userId: "ann", now: NOW });
    await repository.deleteUser({ userId: "bob", now: NOW });
    await repository.deleteUser({ userId: "bob", now: NOW });
    await repository.deleteUser({ userId: "nobody", now: NOW });
    assert.deepEqual(await revoked(repository), ["ann", "bob"]);
  },

  async "nothing is revoked by a session that runs out, is renewed or was over"(storage) {
    const repository = await storage.open();
    await open(repository, "ann", "renewed");
    await liveSession(repository, "renewed", { now: NOW + 6 * DAY, successor: "next" });
    const over = NOW + 20 * DAY;
    await repository.endSession({ tokenHash: hashOf("next"), now: over });
    await repository.revokeSessions({ userId: "ann", sessionIds: undefined, now: over });
    await repository.endSession({ tokenHash: hashOf("unknown"), now: NOW });
    assert.deepEqual(await revoked(repository), []);
    assert.equal(await repository.lastRevocation(), 0);
  },

  async "revocations are listed in order and go on after any place, in a reopened store too"(
    storage,
  ) {
    const repository = await storage.open();
    for (let nth = 0; nth < 25; nth++) await open(repository, "ann", `s${nth}`);
    await repository.revokeSessions({ userId: "ann", sessionIds: undefined, now: NOW });
    const listed: Revocation[] = [];
    for (;;) {
      const after = listed.at(-1)?.sequence ?? 0;
      const page = await repository.listRevocations({ after, limit: 10 });
      if (page.length === 0) break;
      listed.push(...page);
    }
    assert.deepEqual(
      listed.map(({ sessionId }) => sessionId),
      Array.from({ length: 25 }, (_, nth) => `s${nth}`),
    );
    const sequences = listed.map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      [...new Set(sequences)].sort((a, b) => a - b),
    );
    assert.equal(await repository.lastRevocation(), sequences.at(-1));
    await storage.close();
    const reopened = await storage.open();
    const after = sequences[19] ?? 0;
    const rest = await reopened.listRevocations({ after, limit: 10 });
    assert.deepEqual(rest, listed.slice(20));
    await open(reopened, "ann", "later");
    await reopened.endSession({ tokenHash: hashOf("later"), now: NOW });
    assert.ok((await reopened.lastRevocation()) > (sequences.at(-1) ?? 0));
  },

  async "revocations are kept until their time and then swept in steps, but for the last"(storage) {
    const repository = await storage.open();
    for (let nth = 0; nth < 10; nth++) await open(repository, "ann", `s${nth}`);
    await repository.revokeSessions({ userId: "ann", sessionIds: undefined, now: NOW });
    await open(repository, "ann", "last");
    await repository.endSession({ tokenHash: hashOf("last"), now: NOW + MINUTE });
    const sweep = { now: NOW, attemptsBefore: 0, eventsBefore: 0, limit: 7 };
    await repository.sweep({ ...sweep, revocationsBefore: NOW });
    assert.equal((await revoked(repository)).length, 11);
    await repository.sweep({ ...sweep, revocationsBefore: NOW + 1 });
    assert.equal((await revoked(repository)).length, 4);
    await repository.sweep({ ...sweep, revocationsBefore: NOW + 1 });
    assert.deepEqual(await revoked(repository), ["ann/last"]);
    const last = await repository.lastRevocation();
    await repository.sweep({ ...sweep, revocationsBefore: NOW + DAY });
    assert.equal(await repository.lastRevocation(), last);
  },
};
