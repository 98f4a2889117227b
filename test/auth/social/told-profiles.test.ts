import assert from "node:assert/strict";
import { describe } from "node:test";
import { test } from "../../support/on-each-storage.ts";
import {
  type ProviderRoom,
  startGoogleRoom,
  startOpenIdRoom,
  startVkRoom,
} from "../provider-rooms.ts";
import { beginAt, beginAtFacebook, DAY, type Room, startRoom } from "../room.ts";
import { says } from "../stand-in.ts";

const MESSAGE = "what the provider tells is too long for a profile; it is left out";

/** What was logged of fields that were left out. */
function leftOut({ logged }: Room): readonly unknown[] {
  return logged
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === MESSAGE)
    .map(({ provider, fields }) => ({ provider, fields }));
}

const longName = "n".repeat(257);
const longestName = "\u{1f600}".repeat(256);
const longUrl = `https://pictures.example/${"p".repeat(2_024)}`;
const longestUrl = longUrl.slice(0, 2_048);

async function signInAt(room: ProviderRoom, call: string, claims: object) {
  const { behaviour } = room.standIn as { behaviour: Record<string, unknown> };
  behaviour[call] = says(200, JSON.stringify(claims));
  const { user } = await room.client.socialAuth(await beginAt(room, room.provider));
  assert.ok(user);
  return user;
}

describe("A field that is too long is left out, and the log names it:", () => {
  test("at Google and at an OpenID provider", async (t) => {
    for (const room of [await startGoogleRoom(t), await startOpenIdRoom(t)]) {
      const { provider, standIn } = room;
      const sub = provider === "acme" && "claims" in standIn ? standIn.claims.sub : "1";
      const names = { given_name: longName, family_name: longestName, locale: "l".repeat(5_000) };
      const first = { sub, ...names, picture: longUrl };
      const { profile } = await signInAt(room, "userinfo", first);
      assert.equal(profile?.firstName, "");
      assert.equal(profile?.lastName, longestName);
      assert.equal(profile?.picture, "");
      assert.equal(profile?.locale, "");
      const fields = ["firstName", "picture", "locale"];
      assert.deepEqual(leftOut(room), [{ provider, fields }]);
      assert.ok(!room.logged.join("").includes("nnnn"));
      assert.ok(!room.logged.join("").includes("pppp"));

      const short = { sub, given_name: "Ann", picture: longestUrl };
      assert.equal((await signInAt(room, "userinfo", short)).profile?.picture, longestUrl);
      const again = await signInAt(room, "userinfo", first);
      assert.equal(again.profile?.firstName, "Ann");
      assert.equal(again.profile?.picture, longestUrl);
      assert.equal(leftOut(room).length, 2);
    }
  });

  test("at VK and at Facebook", async (t) => {
    const vk = await startVkRoom(t);
    const person = { user_id: "1", first_name: longName, last_name: "Lee", avatar: longUrl };
    const { profile } = await signInAt(vk, "userInfo", { user: person });
    assert.deepEqual([profile?.firstName, profile?.lastName, profile?.picture], ["", "Lee", ""]);
    assert.deepEqual(leftOut(vk), [{ provider: "vk", fields: ["firstName", "picture"] }]);

    const room = await startRoom(t);
    const told = { id: "1", first_name: "Ann", last_name: ` ${longName} ` };
    room.graph.behaviour.me = says(200, JSON.stringify(told));
    const { user } = await room.client.socialAuth(await beginAtFacebook(room));
    assert.deepEqual([user?.profile?.firstName, user?.profile?.lastName], ["Ann", ""]);
    assert.deepEqual(leftOut(room), [{ provider: "facebook", fields: ["lastName"] }]);
  });
});

test("What a provider tells makes no profile too large, at a sign-in and at a check", async (t) => {
  const room = await startRoom(t, { person: { id: "1", first_name: "Ann" } });
  const { client, clock, graph } = room;
  const { user, session } = await client.socialAuth(await beginAtFacebook(room));
  const userId = user?.id ?? "";
  // Three bytes for the name, one for the key, and room for four more.
  const attributes = { a: "x".repeat(16 * 1024 - 8) };
  await client.updateProfile({ userId, profile: { attributes } });
  const told = { id: "1", first_name: "Annabella", last_name: "Lee" };
  graph.behaviour.me = says(200, JSON.stringify(told));
  const signedIn = await client.socialAuth(await beginAtFacebook(room));
  assert.deepEqual(
    [signedIn.user?.profile?.firstName, signedIn.user?.profile?.lastName],
    ["Ann", "Lee"],
  );
  assert.deepEqual(leftOut(room), [{ provider: "facebook", fields: ["firstName"] }]);
  clock.step(2 * DAY);
  graph.behaviour.me = says(200, JSON.stringify({ ...told, last_name: "Leeward" }));
  const checked = await client.checkSession({ token: session?.token ?? "" });
  assert.deepEqual(
    [checked.user?.profile?.firstName, checked.user?.profile?.lastName],
    ["Ann", "Lee"],
  );
  assert.deepEqual(leftOut(room).at(-1), {
    provider: "facebook",
    fields: ["firstName", "lastName"],
  });
  assert.deepEqual(checked.user?.profile?.attributes, attributes);
});
