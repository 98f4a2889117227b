import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { RevocationFeed, type RevocationNews } from "../../../src/auth/sessions/revocation-feed.ts";
import { pageToken } from "../../../src/base/request-fields.ts";
import { silentLog } from "../../../src/logging/log.ts";
import { makeActive, NOW, signInByPassword } from "../../conformance/auth/fixtures.ts";
import { test } from "../../support/on-each-storage.ts";
import { StepClock } from "../../support/step-clock.ts";
import { openRepository } from "../repositories.ts";
import { DAY, MINUTE, refused, signInAtFacebook, startRoom } from "../room.ts";

async function start(t: TestContext) {
  const repository = await openRepository(t);
  const clock = new StepClock(NOW);
  const feed = new RevocationFeed({ repository, clock, log: silentLog });
  t.after(() => feed.close());
  let users = 0;
  return {
    repository,
    clock,
    feed,
    /** Makes a user with sessions and revokes them. Returns what was revoked. */
    async revoke(count: number): Promise<string[]> {
      const userId = `user-${users++}`;
      await makeActive(repository, `${userId}@example.com`, { userId });
      const ids = [];
      for (let nth = 0; nth < count; nth++) {
        ids.push((await signInByPassword(repository, userId, `${userId} ${nth}`)).id);
      }
      await repository.revokeSessions({ userId, sessionIds: undefined, now: NOW });
      return ids;
    },
  };
}

/** Reads a stream message by message. */
async function next(stream: AsyncIterator<RevocationNews>): Promise<RevocationNews> {
  const { value, done } = await stream.next();
  assert.equal(done, false);
  return value;
}

function watch(feed: RevocationFeed, cursor = "", signal = new AbortController().signal) {
  return feed.watch(cursor, signal)[Symbol.asyncIterator]();
}

describe("A watch of revocations", () => {
  test("begins with a cursor alone, and tells what is revoked from then on", async (t) => {
    const { feed, clock, revoke } = await start(t);
    await revoke(2);
    const stream = watch(feed);
    const begin = await next(stream);
    assert.equal(begin.revocation, undefined);
    assert.notEqual(begin.cursor, "");
    const waiting = next(stream);
    const [id] = await revoke(1);
    await stepUntil(clock, waiting);
    const { revocation, cursor } = await waiting;
    assert.equal(revocation?.sessionId, id);
    assert.notEqual(cursor, begin.cursor);
  });

  test("goes on from any cursor, and leaves nothing out", async (t) => {
    const { feed, revoke } = await start(t);
    const first = watch(feed);
    const { cursor } = await next(first);
    const ids = await revoke(250);
    const seen: RevocationNews[] = [];
    const stream = watch(feed, cursor);
    assert.deepEqual(await next(stream), { cursor, revocation: undefined });
    while (seen.length < 250) seen.push(await next(stream));
    assert.deepEqual(
      seen.map(({ revocation }) => revocation?.sessionId),
      ids,
    );
    const half = watch(feed, seen[124]?.cursor);
    await next(half);
    assert.equal((await next(half)).revocation?.sessionId, ids[125]);
  });

  test("from a cursor of another database gives all that is kept", async (t) => {
    const one = await start(t);
    await one.revoke(5);
    const { cursor } = await next(watch(one.feed));
    const other = await start(t);
    const [id] = await other.revoke(1);
    const stream = watch(other.feed, cursor);
    await next(stream);
    assert.equal((await next(stream)).revocation?.sessionId, id);
  });

  test("is one of many, which all are told and share one look into the store", async (t) => {
    const { feed, clock, revoke, repository } = await start(t);
    let looks = 0;
    const counting = {
      listRevocations: repository.listRevocations,
      lastRevocation: () => {
        looks++;
        return repository.lastRevocation();
      },
    };
    const shared = new RevocationFeed({ repository: counting, clock, log: silentLog });
    t.after(() => shared.close());
    await next(watch(feed));
    const streams = Array.from({ length: 50 }, () => watch(shared));
    await Promise.all(streams.map(next));
    const waiting = Promise.all(streams.map(next));
    const [id] = await revoke(1);
    const before = looks;
    await stepUntil(clock, waiting);
    for (const { revocation } of await waiting) assert.equal(revocation?.sessionId, id);
    assert.ok(looks - before < 5, `${looks - before} looks`);
  });

  test("ends when its caller goes, and with SHUTTING_DOWN when the server does", async (t) => {
    const { feed } = await start(t);
    const gone = new AbortController();
    const left = watch(feed, "", gone.signal);
    const cut = watch(feed);
    await Promise.all([next(left), next(cut)]);
    const ends = [left.next(), cut.next()] as const;
    await new Promise((resolve) => setImmediate(resolve));
    gone.abort();
    assert.equal((await ends[0]).done, true);
    feed.close();
    await assert.rejects(ends[1], { reason: "SHUTTING_DOWN" });
    await assert.rejects(watch(feed).next(), { reason: "SHUTTING_DOWN" });
  });

  test("waits through a fault of the store", async (t) => {
    const { clock, revoke, repository } = await start(t);
    let down = false;
    const faulty = {
      listRevocations: repository.listRevocations,
      async lastRevocation() {
        if (down) throw new Error("down");
        return repository.lastRevocation();
      },
    };
    const feed = new RevocationFeed({ repository: faulty, clock, log: silentLog });
    t.after(() => feed.close());
    const stream = watch(feed);
    await next(stream);
    const waiting = next(stream);
    await new Promise((resolve) => setImmediate(resolve));
    down = true;
    clock.step(250);
    await new Promise((resolve) => setImmediate(resolve));
    down = false;
    const [id] = await revoke(1);
    await stepUntil(clock, waiting);
    assert.equal((await waiting).revocation?.sessionId, id);
  });

  test("refuses what is no cursor", async (t) => {
    const { client } = await startRoom(t);
    const wrong = ["junk", "x".repeat(10_000), Buffer.from("-1").toString("base64url"), '"\0'];
    for (const cursor of wrong) {
      const stream = client.watchRevocations({ cursor })[Symbol.asyncIterator]();
      await refused(stream.next(), "INVALID_PARAMS", "cursor");
    }
  });
});

describe("WatchRevocations tells", () => {
  test("of a session that was signed out, and of a user who was deactivated", async (t) => {
    const room = await startRoom(t);
    const { client, clock } = room;
    const stream = client.watchRevocations({})[Symbol.asyncIterator]();
    const begin = (await stream.next()).value;
    assert.equal(begin?.revocation.case, undefined);
    assert.equal(begin?.time, undefined);
    const token = await signInAtFacebook(room);
    const { user, session } = await client.checkSession({ token });
    const userId = user?.id ?? "";

    const signedOut = stream.next();
    await client.signOut({ token });
    await stepUntil(clock, signedOut);
    const { value: first } = await signedOut;
    assert.deepEqual(first?.revocation.value?.userId, userId);
    assert.equal(first?.revocation.case, "sessionRevoked");
    assert.equal(first.revocation.value.sessionId, session?.id);

    await signInAtFacebook(room);
    const deactivated = stream.next();
    await client.deactivateUser({ userId });
    await stepUntil(clock, deactivated);
    const { value: second } = await deactivated;
    assert.equal(second?.revocation.case, "userRevoked");
    assert.equal(second.revocation.value.userId, userId);
    assert.ok(Number(second.time?.seconds) * 1_000 <= clock.now());
    await stream.return?.();
  });
});

describe("ListSessions and RevokeSessions", () => {
  test("tell where a user is signed in, without tokens, and end what is chosen", async (t) => {
    const room = await startRoom(t);
    const { client, clock } = room;
    const tokens = [];
    for (let nth = 0; nth < 3; nth++) {
      tokens.push(await signInAtFacebook(room));
      clock.step(MINUTE);
    }
    const [first = "", second = "", third = ""] = tokens;
    const { user } = await client.checkSession({ token: first });
    const userId = user?.id ?? "";
    const { sessions } = await client.listSessions({ userId });
    const created = sessions.map(({ createTime }) => Number(createTime?.seconds));
    assert.deepEqual(
      created,
      [...created].sort((a, b) => b - a),
    );
    for (const session of sessions) {
      assert.equal(session.token, "");
      assert.equal(session.provider, "facebook");
    }
    const [newest] = sessions;
    const sessionIds = [newest?.id ?? "", "unknown"];
    assert.equal((await client.revokeSessions({ userId, sessionIds })).count, 1);
    await refused(client.checkSession({ token: third }), "NOT_AUTHENTICATED");
    await client.checkSession({ token: second });
    assert.equal((await client.revokeSessions({ userId })).count, 2);
    assert.deepEqual((await client.listSessions({ userId })).sessions, []);
  });

  test("are listed page by page, a hundred where no size is asked for", async (t) => {
    const { client, repository, clock } = await startRoom(t);
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    const origin = { device: "", address: "" };
    const ends = { expireTime: clock.now() + DAY, mostOfUser: 1_000 };
    for (let nth = 0; nth < 105; nth++) {
      const session = { id: `s${nth}`, tokenHash: Buffer.from(`${nth}`), ...origin, ...ends };
      await signInByPassword(repository, "ann", "", { session, now: clock.now() });
      if (nth % 2 === 0) clock.step(1);
    }
    for (const [pageSize, sizes] of [
      [0, [100, 5]],
      [35, [35, 35, 35]],
      [1_000, [105]],
    ] as const) {
      const pages: string[][] = [];
      let pageToken = "";
      do {
        const page = await client.listSessions({ userId: "ann", pageSize, pageToken });
        pages.push(page.sessions.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      assert.deepEqual(
        pages.map(({ length }) => length),
        sizes,
      );
      const newestFirst = Array.from({ length: 105 }, (_, nth) => `s${104 - nth}`);
      assert.deepEqual(pages.flat(), newestFirst);
    }
  });

  test("of nobody are USER_NOT_FOUND, and bad input names its field", async (t) => {
    const { client } = await startRoom(t);
    for (const bad of [
      { field: "page_size", request: { pageSize: -1 } },
      { field: "page_size", request: { pageSize: 1_001 } },
      { field: "page_token", request: { pageToken: "junk!" } },
      { field: "page_token", request: { pageToken: pageToken("junk") } },
      { field: "page_token", request: { pageToken: pageToken(17) } },
    ]) {
      const request = { userId: "ann", ...bad.request };
      await refused(client.listSessions(request), "INVALID_PARAMS", bad.field);
    }
    await refused(client.listSessions({ userId: "nobody" }), "USER_NOT_FOUND");
    await refused(client.revokeSessions({ userId: "nobody" }), "USER_NOT_FOUND");
    await refused(client.listSessions({}), "INVALID_PARAMS", "user_id");
    const wrong = { userId: "ann", sessionIds: ["a", ""] };
    await refused(client.revokeSessions(wrong), "INVALID_PARAMS", "session_ids[1]");
    const long = { userId: "ann", sessionIds: ["x".repeat(65)] };
    await refused(client.revokeSessions(long), "INVALID_PARAMS", "session_ids[0]");
    const many = { userId: "ann", sessionIds: Array.from({ length: 1_001 }, () => "a") };
    await refused(client.revokeSessions(many), "INVALID_PARAMS", "session_ids");
  });
});

/** Lets time pass, a quarter of a second at a time, until something has happened. */
async function stepUntil(clock: StepClock, happened: Promise<unknown>): Promise<void> {
  let pending = true;
  const settle = (): void => {
    pending = false;
  };
  happened.then(settle, settle);
  while (pending) {
    clock.step(250);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
