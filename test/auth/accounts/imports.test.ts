import assert from "node:assert/strict";
import { test } from "node:test";
import { AuditEventType } from "../../../gen/usher/auth/v1/audit_pb.ts";
import { eventsOf, signIn } from "../accounts.ts";
import { refused, startRoom } from "../room.ts";

const PASSWORD = "pass wörd";
const BCRYPT = "$2b$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO";
const AUTHMAN_ID = "c3a1b2d4-0000-4000-8000-000000000001";

const hashes = [
  BCRYPT,
  "$argon2id$v=19$m=256,t=3,p=4$J19zif3G+0qyi8B+q86iTQ$jl4T4yM54jeQTViDOglxX9w/2l2XtIsqKcjVhwJ0kNg",
  "$scrypt$ln=10,r=8,p=2$COEcQwiBsBZCKKVUKqVUCg$OYOQ+XIIIG/1jIl2wPLSpp5yrKFc9zSF3w92t4u5KpI",
  "$pbkdf2-sha256$1000$Z.w9hxCC8B5DaI2xNkaIcQ$SEUb2YVon1d9EKQhixJa7S6m8nJpR2NjBFvGX.CvkPU",
  "1f9f701b7388eb39d535bb40e1d1dbc914e40a7a03f23d9d490da04b2824f83a",
];

test("users come with their hashes, which are ours after the first sign-in", async (t) => {
  const { client, repository } = await startRoom(t);
  const users = hashes.map((passwordHash, nth) => ({
    email: `user${nth}@example.com`,
    userId: nth === 4 ? AUTHMAN_ID : `user${nth}`,
    passwordHash,
    profile: { firstName: `User ${nth}`, attributes: { old: "yes" } },
  }));
  const { results } = await client.importUsers({ users });
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    users.map(({ userId }) => ({ case: "userId", value: userId })),
  );
  for (const { email, userId, profile } of users) {
    await refused(client.signIn({ email, password: "pass word" }), "WRONG_PASSWORD");
    await signIn(client, email, PASSWORD);
    const credentials = await repository.findCredentials({ userId });
    assert.match(credentials?.passwordHash ?? "", /^\$argon2id\$v=19\$m=64,t=2,p=1\$/);
    await signIn(client, email, PASSWORD);
    const { user } = await client.getUser({ key: { case: "userId", value: userId } });
    assert.equal(user?.active, true);
    assert.equal(user?.profile?.firstName, profile.firstName);
    assert.deepEqual(user?.profile?.attributes, profile.attributes);
    assert.equal((await eventsOf(client, userId)).at(-1)?.type, AuditEventType.IMPORTED);
  }
});

test("each user is imported or refused on its own", async (t) => {
  const { client } = await startRoom(t);
  await client.importUsers({ users: [{ email: "taken@example.com", userId: "taken" }] });
  const { results } = await client.importUsers({
    users: [
      { email: "TAKEN@example.com" },
      { email: "a@example.com", userId: "taken" },
      { email: "a@example.com" },
      { email: "A@example.com" },
      { email: "junk" },
      { email: "b@example.com", userId: "a b" },
      { email: "b@example.com", passwordHash: "secret-in-the-clear" },
      { email: "b@example.com", passwordHash: hashes.at(-1) ?? "" },
      { email: "b@example.com", profile: { firstName: "x".repeat(16_385) } },
      { email: "b@example.com", profile: { lastName: "\0" } },
      { email: "b@example.com", userId: "b" },
      {},
    ],
  });
  const outcomes = results.map(({ outcome }) =>
    outcome.case === "error" ? outcome.value.reason : outcome.case,
  );
  assert.deepEqual(outcomes, [
    "USER_ALREADY_EXISTS",
    "USER_ALREADY_EXISTS",
    "userId",
    "USER_ALREADY_EXISTS",
    ...Array.from({ length: 6 }, () => "INVALID_PARAMS"),
    "userId",
    "INVALID_PARAMS",
  ]);
  const messages = results.map(({ outcome }) =>
    outcome.case === "error" ? outcome.value.message : "",
  );
  assert.match(messages[5] ?? "", /^users\[5\]\.user_id: /);
  assert.match(messages[6] ?? "", /^users\[6\]\.password_hash: /);
  assert.ok(!messages.join().includes("secret-in-the-clear"));
  assert.match(results[2]?.outcome.value?.toString() ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  const again = await client.importUsers({ users: [{ email: "b@example.com", userId: "b" }] });
  assert.equal(again.results[0]?.outcome.case, "error");
});

test("a call takes 1 to 10,000 users", async (t) => {
  const { client } = await startRoom(t);
  await refused(client.importUsers({}), "INVALID_PARAMS", "users");
  const users = Array.from({ length: 10_001 }, (_, nth) => ({ email: `user${nth}@example.com` }));
  await refused(client.importUsers({ users }), "INVALID_PARAMS", "users");
  const { results } = await client.importUsers({ users: users.slice(1) });
  const ids = results.map(({ outcome }) => outcome.case === "userId" && outcome.value);
  assert.equal(new Set(ids).size, 10_000);
  assert.ok(!ids.includes(false));
});

test("an empty hash is refused, and is not the same as none", async (t) => {
  const { client, repository } = await startRoom(t);
  const { results } = await client.importUsers({
    users: [
      { email: "ann@example.com", passwordHash: "" },
      { email: "bob@example.com", userId: "bob" },
    ],
  });
  const [ann, bob] = results.map(({ outcome }) => outcome);
  assert.equal(ann?.case === "error" && ann.value.reason, "INVALID_PARAMS");
  assert.match(
    ann?.case === "error" ? ann.value.message : "",
    /users\[0\]\.password_hash: is empty/,
  );
  assert.equal(bob?.case, "userId");
  assert.equal((await repository.findCredentials({ userId: "bob" }))?.passwordHash, "");
});

test("an import of somebody's real user goes before a registration that was never finished", async (t) => {
  const { client } = await startRoom(t);
  const email = "ann@example.com";
  const { activationCode: code } = await client.register({ email });
  const { results } = await client.importUsers({
    users: [{ email, userId: "ann", passwordHash: BCRYPT }],
  });
  assert.deepEqual(results[0]?.outcome, { case: "userId", value: "ann" });
  const late = client.completeRegistration({ email, code, password: "Another horse 1" });
  await refused(late, "USER_ALREADY_ACTIVE");
  await signIn(client, email, PASSWORD);
});
