import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../../support/on-each-storage.ts";
import { DAY, MINUTE, refused, signInAtFacebook, startRoom } from "../room.ts";

describe("CheckSession", () => {
  test("a token that cannot be one is WRONG_SESSION_SIGN, one mistyped too", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    const other = token.at(10) === "A" ? "B" : "A";
    const mistyped = [
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      token.slice(0, 10) + other + token.slice(11),
      token.toUpperCase(),
      token.replace("uss_", "usx_"),
      "junk",
      "\0",
      "x".repeat(1_000_000),
    ];
    for (const wrong of mistyped) {
      await refused(room.client.checkSession({ token: wrong }), "WRONG_SESSION_SIGN");
    }
    await room.client.checkSession({ token });
  });

  test("a session lives 7 days and is renewed in the last 2", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    const opened = await room.client.checkSession({ token });
    room.clock.step(5 * DAY - 1);
    assert.equal((await room.client.checkSession({ token })).session?.token, "");
    room.clock.step(1);
    const renewed = await room.client.checkSession({ token });
    const newToken = renewed.session?.token ?? "";
    assert.match(newToken, /^uss_[A-Za-z0-9_-]{48}$/);
    assert.notEqual(newToken, token);
    assert.equal(renewed.session?.id, opened.session?.id);
    const life = Number(renewed.session?.expireTime?.seconds) * 1000 - room.clock.now();
    assert.equal(life, 7 * DAY);
    room.clock.step(4 * DAY);
    const later = await room.client.checkSession({ token: newToken });
    assert.equal(later.session?.id, opened.session?.id);
    room.clock.step(3 * DAY);
    await refused(room.client.checkSession({ token: newToken }), "NOT_AUTHENTICATED");
  });

  test("the old token works for 60 seconds and gives the same new one to every call", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    room.clock.step(6 * DAY);
    const calls = Array.from({ length: 10 }, () => room.client.checkSession({ token }));
    const answers = await Promise.all(calls);
    room.clock.step(MINUTE - 1);
    answers.push(await room.client.checkSession({ token }));
    const newTokens = new Set(answers.map(({ session }) => session?.token));
    assert.equal(newTokens.size, 1);
    room.clock.step(1);
    await refused(room.client.checkSession({ token }), "NOT_AUTHENTICATED");
    const [newToken = ""] = newTokens;
    await room.client.checkSession({ token: newToken });
  });

  test("a deactivated user is USER_NOT_ACTIVE", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    const { user } = await room.client.checkSession({ token });
    await room.repository.deactivateUser({ userId: user?.id ?? "", now: room.clock.now() });
    await refused(room.client.checkSession({ token }), "USER_NOT_ACTIVE");
    await refused(room.client.signOut({ token }), "NOT_AUTHENTICATED");
  });
});

describe("SignOut", () => {
  test("ends one session, once", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    const other = await signInAtFacebook(room);
    await room.client.signOut({ token });
    await refused(room.client.signOut({ token }), "NOT_AUTHENTICATED");
    await refused(room.client.checkSession({ token }), "NOT_AUTHENTICATED");
    await room.client.checkSession({ token: other });
  });

  test("takes the token before the last renewal for 60 seconds", async (t) => {
    const room = await startRoom(t);
    const token = await signInAtFacebook(room);
    room.clock.step(6 * DAY);
    const { session } = await room.client.checkSession({ token });
    await room.client.signOut({ token });
    await refused(room.client.checkSession({ token: session?.token ?? "" }), "NOT_AUTHENTICATED");
  });

  test("what is no token of a live session is NOT_AUTHENTICATED, whatever its form", async (t) => {
    const { client } = await startRoom(t);
    for (const token of ["junk", "\0", "x".repeat(1_000_000)]) {
      await refused(client.signOut({ token }), "NOT_AUTHENTICATED");
    }
  });
});
