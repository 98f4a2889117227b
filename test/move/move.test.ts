import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { MongoClient } from "mongodb";
import { AuditEventSchema } from "../../gen/usher/auth/v1/audit_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { UserSchema, UserState } from "../../gen/usher/auth/v1/user_pb.ts";
import { TaskSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { TubeKind, TubeSchema } from "../../gen/usher/queue/v1/tube_pb.ts";
import { createSealer } from "../../src/auth/sealing/sealer.ts";
import { keyStoreOf } from "../../src/auth/sealing/sealing-keys.ts";
import { openCredentials } from "../../src/auth/social/provider-credentials.ts";
import { authCollections } from "../../src/storage/mongodb/auth/schema.ts";
import { startOpenId } from "../auth/openid-stand-in.ts";
import { withoutMongodb } from "../support/mongod.ts";
import { testDatabase } from "../support/mongodb.ts";
import { temporaryFolder } from "../support/process.ts";
import { failure, ms, Queue, text } from "../support/queue.ts";
import { type Addresses, clientOf, startService } from "../support/service.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const PASSWORD = "Correct horse 1";
const REDIRECT_URI = "https://app.example/back";
const KEY = randomBytes(32);

interface Ended {
  readonly code: number | null;
  readonly lines: string;
}

/** Runs `usher move`; killed as soon as it has written what matches. */
async function move(t: TestContext, folder: string, url: string, killAt?: RegExp): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, "move", "--from", `sqlite:${folder}`], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"],
      USHER_MOVE_TO: url,
      USHER_AUTH_SEALING_KEYS: KEY.toString("base64"),
    },
  });
  t.after(() => child.kill("SIGKILL"));
  let lines = "";
  child.stderr.setEncoding("utf8").on("data", (more: string) => {
    lines += more;
    if (killAt?.test(lines)) child.kill("SIGKILL");
  });
  const [code] = await once(child, "close");
  assert.ok(!lines.includes(url), "the URL is not told");
  return { code, lines };
}

function startOnMongodb(t: TestContext, url: string, env: Readonly<Record<string, string>> = {}) {
  return startService(t, {
    USHER_STORAGE: url,
    USHER_AUTH_SEALING_KEYS: KEY.toString("base64"),
    ...env,
  });
}

/** An embedded service with a little of everything, stopped. */
async function filled(t: TestContext, tasks = 0): Promise<string> {
  const folder = temporaryFolder(t);
  const usher = await startService(t, { USHER_STORAGE: `sqlite:${folder}` });
  const queue = Queue.of(usher);
  await queue.tube("jobs");
  await queue.put("jobs", "one");
  for (let left = tasks; left > 0; left -= 5_000) {
    const batch = Array.from({ length: Math.min(left, 5_000) }, (_, nth) => text(`task ${nth}`));
    await queue.client.batchPut({ tube: "jobs", tasks: batch });
  }
  const auth = clientOf(usher, AuthService);
  await auth.register({ email: "ann@example.com" });
  await usher.stop();
  return folder;
}

/** All that callers see, but for what a restart changes. */
async function seen(usher: Addresses) {
  const { client } = Queue.of(usher);
  const { tubes } = await client.listTubes({});
  const tasks = [];
  for (const { name, temporary } of tubes) {
    if (temporary) continue;
    const listed = await client.listTasks({ tube: name });
    for (const { id } of listed.tasks) {
      const { task } = await client.getTask({ tube: name, id });
      assert.ok(task);
      tasks.push(task);
    }
  }
  const auth = clientOf(usher, AuthService);
  const { users } = await auth.listUsers({});
  const { events } = await auth.listAuditEvents({});
  return {
    tubes: json(TubeSchema, tubes).sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1)),
    tasks: json(TaskSchema, tasks),
    users: json(UserSchema, users).sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1)),
    events: json(AuditEventSchema, events),
  };
}

function json<S extends DescMessage>(schema: S, messages: readonly MessageShape<S>[]) {
  return messages.map((message) => toJson(schema, message) as Record<string, unknown>);
}

describe("usher move", { skip: withoutMongodb, timeout: 120_000 }, () => {
  test("brings everything along, in its order", async (t) => {
    const standIn = await startOpenId();
    t.after(() => standIn.close());
    const { issuer = "", clientId = "", clientSecret = "" } = standIn.settings;
    const env = {
      USHER_AUTH_OIDC_ACME_ISSUER: issuer,
      USHER_AUTH_OIDC_ACME_CLIENT_ID: clientId,
      USHER_AUTH_OIDC_ACME_CLIENT_SECRET: clientSecret,
      USHER_AUTH_OIDC_ACME_REDIRECT_URIS: REDIRECT_URI,
    };
    const folder = temporaryFolder(t);
    const source = await startService(t, { USHER_STORAGE: `sqlite:${folder}`, ...env });
    const queue = Queue.of(source);

    await queue.tube("fifo", "FIFO", { maxAttempts: 7 });
    await queue.tube("fifottl", "FIFOTTL", {
      defaultTtl: ms(86_400_000),
      dedupWindow: ms(3_600_000),
    });
    await queue.tube("lim", "LIMFIFOTTL", { capacity: 5n, defaultPriority: 3 });
    await queue.tube("utube", "UTUBE");
    await queue.tube("utubettl", "UTUBETTL", {
      retryBackoff: { initial: ms(5), max: ms(50), multiplier: 3 },
    });
    await queue.tube("leased");
    await queue.client.createTube({ tube: { name: "gone", kind: TubeKind.FIFO, temporary: true } });
    await queue.put("gone", "lost at every restart");
    for (const name of ["a", "b", "c"]) await queue.put("fifo", name);
    const bytes = randomBytes(300);
    await queue.client.put({
      tube: "fifo",
      task: {
        payload: { content: { case: "data", value: bytes } },
        attributes: { __proto__x: "1", "a.b": "", $set: "ü" },
      },
    });
    await queue.client.put({
      tube: "fifo",
      task: {
        payload: {
          content: { case: "json", value: { kind: { case: "numberValue", value: 1.5 } } },
        },
      },
    });
    await queue.client.buryTask({ tube: "fifo", id: 2n, reason: "no good" });
    await queue.put("fifottl", "late", { delay: ms(3_600_000), ttr: ms(1_000) });
    await queue.put("fifottl", "key", { dedupKey: "k" });
    await queue.put("fifottl", "second", { priority: 4 });
    const once = await queue.put("fifottl", "first", { priority: 2, dedupKey: "acked" });
    await queue.client.deleteTask({ tube: "fifottl", id: once });
    await queue.put("lim", "limited");
    for (const name of ["x1", "y1", "x2"])
      await queue.put("utube", name, { group: name.slice(0, 1) });
    await queue.put("utubettl", "grouped", { group: "g", ttl: ms(86_400_000) });
    await queue.put("leased", "held");
    await queue.client.pauseTube({ tube: "lim" });

    const auth = clientOf(source, AuthService);
    await auth.register({ email: "pending@example.com" });
    const pendingCode = (await auth.register({ email: "pending@example.com" })).activationCode;
    const { activationCode } = await auth.register({ email: "Active@example.com" });
    const email = "active@example.com";
    const completed = await auth.completeRegistration({
      email,
      code: activationCode,
      password: PASSWORD,
    });
    const activeId = completed.user?.id ?? "";
    await auth.updateProfile({
      userId: activeId,
      profile: { firstName: "Ada", attributes: { "x.y": "1", $z: "" } },
    });
    await auth.importUsers({ users: [{ email: "shut@example.com", userId: "shut" }] });
    await auth.deactivateUser({ userId: "shut" });
    const signedIn = await auth.signIn({ email, password: PASSWORD, device: "a phone" });
    const second = await auth.signIn({ email, password: PASSWORD, device: "a tablet" });
    await auth.signOut({ token: second.session?.token ?? "" });
    await assert.rejects(auth.signIn({ email, password: "wrong" }));
    const { resetToken } = await auth.requestPasswordReset({ email });
    const { url: begun } = await auth.getSocialAuthUrl({
      provider: "acme",
      redirectUri: REDIRECT_URI,
    });
    const { headers } = await fetch(begun, { redirect: "manual" });
    const { code = "", state = "" } = Object.fromEntries(
      new URL(headers.get("location") ?? "").searchParams,
    );
    const social = await auth.socialAuth({ provider: "acme", code, state });
    const before = await seen(source);
    // After the look, for a leased task is one that is ready later.
    const held = await queue.take("leased");
    const page = `http://${source.httpAddress}/.well-known/jwks.json`;
    const keysBefore = await (await fetch(page)).json();
    await source.stop();

    const url = await testDatabase(t);
    const moved = await move(t, folder, url);
    assert.equal(moved.code, 0, moved.lines);
    assert.match(moved.lines, /^1 leases are not moved: their tasks are ready again$/m);
    assert.match(moved.lines, /^done: /m);

    const target = await startOnMongodb(t, url, env);
    assert.deepEqual(await seen(target), before);
    const there = Queue.of(target);
    assert.equal(
      await failure(there.client.ack({ lease: held.lease })),
      "FailedPrecondition LEASE_LOST",
    );
    assert.deepEqual(await there.counts("leased"), { ready: 1 });
    assert.deepEqual(await there.takeAllTexts("fifottl"), ["key", "second"]);
    const again = await there.client.put({
      tube: "fifottl",
      task: text("first", { dedupKey: "acked" }),
    });
    assert.deepEqual([again.duplicate, again.task?.id], [true, once]);
    assert.deepEqual(await there.takeAllTexts("utube"), ["x1", "y1"], "groups hold");
    assert.ok((await there.put("fifo", "next")) > 5n, "ids go on");

    const accounts = clientOf(target, AuthService);
    const checked = await accounts.checkSession({ token: signedIn.session?.token ?? "" });
    assert.equal(checked.user?.id, activeId);
    assert.equal(checked.session?.device, "a phone");
    const checkedSocial = await accounts.checkSession({ token: social.session?.token ?? "" });
    assert.equal(checkedSocial.session?.provider, "acme");
    const keys = `http://${target.httpAddress}/.well-known/jwks.json`;
    assert.deepEqual(await (await fetch(keys)).json(), keysBefore);
    for (const token of [signedIn.accessToken, checked.accessToken]) {
      const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)));
      assert.equal(payload.sub, activeId);
    }
    const { sessions } = await accounts.listSessions({ userId: activeId });
    assert.equal(sessions.length, 1);
    await accounts.completePasswordReset({ email, resetToken, password: `${PASSWORD}0` });
    const pending = { email: "pending@example.com", code: pendingCode, password: PASSWORD };
    const { user } = await accounts.completeRegistration(pending);
    assert.equal(user?.state, UserState.ACTIVE);

    // A provider's tokens are needed after days only, so that no RPC shows them here.
    await using client = await MongoClient.connect(url);
    const document = await authCollections(client.db()).users.findOne({
      _id: social.user?.id ?? "",
    });
    const [account] = document?.accounts ?? [];
    assert.ok(account && openCredentials(createSealer(keyStoreOf([KEY])), account));
  });

  test("begins anew after it was killed, and then says that it is done", async (t) => {
    const folder = await filled(t, 25_000);
    const url = await testDatabase(t);
    for (const moment of [/^tasks: 10000 /m, /^users: /m]) {
      const killed = await move(t, folder, url, moment);
      assert.equal(killed.code, null, killed.lines);
      await assert.rejects(startOnMongodb(t, url), /^StorageOpenError: .*not finished/);
    }
    const moved = await move(t, folder, url);
    assert.equal(moved.code, 0, moved.lines);
    assert.match(moved.lines, /^ {2}tasks: 25001$/m);
    const once = await move(t, folder, url);
    assert.equal(once.code, 0, once.lines);
    assert.match(once.lines, /^done already/);
    assert.match(once.lines, /^ {2}tasks: 25001$/m);

    const target = await startOnMongodb(t, url);
    assert.deepEqual(await Queue.of(target).counts("jobs"), { ready: 25_001 });
    const source = await startService(t, { USHER_STORAGE: `sqlite:${folder}` });
    assert.deepEqual(await Queue.of(source).counts("jobs"), { ready: 25_001 }, "stays usable");
    await Queue.of(source).put("jobs", "one more");
    assert.match(
      (await move(t, folder, url)).lines,
      /^usher: .* is in use by another Usher process$/m,
    );
    await source.stop();
    const changed = await move(t, folder, url);
    assert.equal(changed.code, 1, changed.lines);
    assert.match(changed.lines, /the source has changed since, and that is not moved: tasks$/m);
  });

  test("refuses a target that is used, or not empty, or another folder's", async (t) => {
    const folder = await filled(t);
    const url = await testDatabase(t);
    const used = await startOnMongodb(t, url);
    const inUse = await move(t, folder, url);
    assert.equal(inUse.code, 1);
    assert.match(inUse.lines, /^usher: an Usher instance uses the target: .*\n$/);
    await Queue.of(used).tube("mine");
    await used.stop();
    const full = await move(t, folder, url);
    assert.equal(full.code, 1);
    assert.match(full.lines, /^usher: the target is not empty: .*\n$/);
    const still = await startOnMongodb(t, url);
    assert.deepEqual(await Queue.of(still).counts("mine"), {});

    const empty = await testDatabase(t);
    assert.equal((await move(t, folder, empty)).code, 0);
    const other = await move(t, await filled(t), empty);
    assert.equal(other.code, 1);
    assert.match(other.lines, /^usher: the target holds what was moved from another folder: .*\n$/);
  });

  test("refuses while another move is at work", async (t) => {
    const folder = await filled(t, 25_000);
    const copy = temporaryFolder(t);
    cpSync(folder, copy, { recursive: true });
    const url = await testDatabase(t);
    const first = move(t, folder, url);
    await using client = await MongoClient.connect(url);
    while ((await client.db().collection("moves").countDocuments()) === 0) await sleep(5);
    const second = await move(t, copy, url);
    assert.equal((await first).code, 0);
    assert.match(second.lines, /^(usher: another move to the target is at work|done already)/);
  });

  test("says what is wrong in a line", async (t) => {
    const folder = join(temporaryFolder(t), "none");
    const none = await move(t, folder, "mongodb://ann:secret@127.0.0.1:1/usher");
    assert.deepEqual([none.code, none.lines.split("\n").length], [1, 2]);
    assert.match(none.lines, /^usher: there is no usher.db in /);
    assert.equal(existsSync(folder), false, "nothing is made");
    const away = await move(t, await filled(t), "mongodb://ann:secret@127.0.0.1:1/usher");
    assert.equal(away.code, 1);
    assert.match(away.lines, /^usher: storage: cannot use MongoDB: .*\n$/);
    const wrong = await move(t, folder, "mongodb://ann:secret@/@");
    assert.equal(wrong.code, 1);
    assert.ok(!wrong.lines.includes("secret"), wrong.lines);
  });
});
