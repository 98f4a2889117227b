import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REDIRECT_URI, refused, signInAtFacebook, startRoom } from "./room.ts";

const begin = { provider: "facebook", redirectUri: REDIRECT_URI };
const end = { provider: "facebook", code: "code", state: "state" };

const badBegins = [
  { field: "provider", request: { ...begin, provider: "" } },
  { field: "provider", request: { ...begin, provider: "face\0book" } },
  { field: "provider", request: { ...begin, provider: "x".repeat(65) } },
  { field: "redirect_uri", request: { ...begin, redirectUri: "" } },
  { field: "redirect_uri", request: { ...begin, redirectUri: `${REDIRECT_URI}\0` } },
  { field: "redirect_uri", request: { ...begin, redirectUri: "x".repeat(2_049) } },
  { field: "client_state", request: { ...begin, clientState: "a\0b" } },
  { field: "client_state", request: { ...begin, clientState: "x".repeat(4_097) } },
];

const badEnds = [
  { field: "provider", request: { ...end, provider: "" } },
  { field: "provider", request: { ...end, provider: "x".repeat(1_000_000) } },
  { field: "code", request: { ...end, code: "" } },
  { field: "code", request: { ...end, code: "\0" } },
  { field: "code", request: { ...end, code: "x".repeat(8_193) } },
  { field: "state", request: { ...end, state: "\0" } },
  { field: "state", request: { ...end, state: "x".repeat(4_097) } },
  { field: "device_id", request: { ...end, deviceId: "\0" } },
  { field: "device_id", request: { ...end, deviceId: "x".repeat(1_025) } },
  { field: "device", request: { ...end, device: "a\0b" } },
  { field: "address", request: { ...end, address: "192.0.2.7:80" } },
  { field: "address", request: { ...end, address: "example.com" } },
  { field: "address", request: { ...end, address: "fe80::1%eth0" } },
  { field: "address", request: { ...end, address: " " } },
];

const badUsers = [
  { field: "user_id", key: { case: undefined } },
  { field: "user_id", key: { case: "userId", value: "" } },
  { field: "user_id", key: { case: "userId", value: "a b" } },
  { field: "user_id", key: { case: "userId", value: "a\0" } },
  { field: "user_id", key: { case: "userId", value: "ä" } },
  { field: "user_id", key: { case: "userId", value: "x".repeat(65) } },
  { field: "email", key: { case: "email", value: "" } },
  { field: "email", key: { case: "email", value: "ann" } },
  { field: "email", key: { case: "email", value: "ann@\0" } },
  { field: "email", key: { case: "email", value: "\u202eann@example.com" } },
  { field: "email", key: { case: "email", value: `${"x".repeat(1_000_000)}@example.com` } },
] as const;

describe("A request with one bad field is INVALID_PARAMS, naming the field:", () => {
  test("GetSocialAuthUrl", async (t) => {
    const { client } = await startRoom(t);
    for (const { field, request } of badBegins) {
      await refused(client.getSocialAuthUrl(request), "INVALID_PARAMS", field);
    }
    await client.getSocialAuthUrl({ ...begin, clientState: "x".repeat(4_096) });
  });

  test("SocialAuth, whose state and code stay good", async (t) => {
    const { client, graph } = await startRoom(t);
    const { state } = await client.getSocialAuthUrl(begin);
    for (const { field, request } of badEnds) {
      const goodState = request.state === end.state ? { ...request, state } : request;
      await refused(client.socialAuth(goodState), "INVALID_PARAMS", field);
    }
    assert.deepEqual(graph.asked, []);
    await refused(client.socialAuth({ ...end, state }), "WRONG_AUTH_CODE");
  });

  test("LinkSocialAccount, whose state and code stay good", async (t) => {
    const room = await startRoom(t);
    const { client, graph } = room;
    const token = await signInAtFacebook(room);
    const { state } = await client.getSocialAuthUrl(begin);
    const before = graph.asked.length;
    for (const { field, request } of badEnds) {
      const { device, address, ...rest } = { device: "", address: "", ...request };
      if (device !== "" || address !== "") continue;
      const goodState = rest.state === end.state ? { ...rest, state } : rest;
      await refused(client.linkSocialAccount({ ...goodState, token }), "INVALID_PARAMS", field);
    }
    assert.equal(graph.asked.length, before);
    await refused(client.linkSocialAccount({ ...end, state, token }), "WRONG_AUTH_CODE");
  });

  test("GetUser", async (t) => {
    const { client } = await startRoom(t);
    for (const { field, key } of badUsers) {
      await refused(client.getUser({ key }), "INVALID_PARAMS", field);
    }
  });

  test("CheckSession and SignOut", async (t) => {
    const { client } = await startRoom(t);
    await refused(client.checkSession({}), "INVALID_PARAMS", "token");
    await refused(client.signOut({}), "INVALID_PARAMS", "token");
  });
});

test("GetUser of nobody is USER_NOT_FOUND", async (t) => {
  const { client } = await startRoom(t);
  for (const key of [
    { case: "userId", value: "nobody" },
    { case: "email", value: "nobody@example.com" },
  ] as const) {
    await refused(client.getUser({ key }), "USER_NOT_FOUND");
  }
});

test("a long device is cut after 512 characters, never inside one", async (t) => {
  const room = await startRoom(t, { facebook: { allowUnsolicitedCodes: true } });
  const page = new URL(room.graph.authUrl);
  page.searchParams.set("client_id", "1234567890");
  page.searchParams.set("redirect_uri", REDIRECT_URI);
  const response = await fetch(page, { redirect: "manual" });
  const code = new URL(response.headers.get("location") ?? "").searchParams.get("code") ?? "";
  const device = "\u{1F600}".repeat(600);
  const { session } = await room.client.socialAuth({ provider: "facebook", code, device });
  assert.equal(session?.device, "\u{1F600}".repeat(512));
});
