import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { MailTubeError, openMailQueue } from "../../src/app/mail-queue.ts";
import { createAuthService } from "../../src/auth/handlers/service.ts";
import type { MailQueue } from "../../src/auth/mail/mail-outbox.ts";
import { readAuthSettings } from "../../src/auth/settings.ts";
import { parseConfig } from "../../src/config/config.ts";
import type { Log } from "../../src/logging/log.ts";
import { silentLog } from "../../src/logging/log.ts";
import { QueueEngine } from "../../src/queue/engine.ts";
import { createAuthRepository } from "../../src/storage/sqlite/auth/repository.ts";
import { openSealingKeys } from "../../src/storage/sqlite/auth/sealing-keys.ts";
import { openDatabase } from "../../src/storage/sqlite/database.ts";
import { createQueueStore } from "../../src/storage/sqlite/queue/store.ts";
import { OTHER_PASSWORD, PASSWORD, signIn, signUp } from "../auth/accounts.ts";
import { DAY, MINUTE } from "../auth/room.ts";
import { temporaryFolder } from "../support/process.ts";
import { StepClock } from "../support/step-clock.ts";

const TUBE = "mail";
const email = "ann@example.com";

interface House {
  readonly client: ReturnType<typeof createClient<typeof AuthService>>;
  readonly engine: QueueEngine;
  readonly clock: StepClock;
  /** What waits in the outbox, as it is in the database. */
  outbox(): readonly Readonly<Record<string, unknown>>[];
  /** Resolves when the outbox has been carried off. */
  carried(): Promise<void>;
  /** The mail in the tube that has not been taken, as its tasks have it. */
  mail(): Promise<readonly Record<string, string>[]>;
  /** Ends without finishing anything but what is under way. */
  close(): Promise<void>;
}

/** For what goes on beside the calls. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** AuthService and the queues on the database of a folder, with a tube for mail between them. */
async function open(
  folder: string,
  given: {
    readonly clock?: StepClock;
    readonly returnCodes?: boolean;
    /** Stands between the two, to fail as it likes. */
    readonly between?: (queue: MailQueue) => MailQueue;
    readonly log?: Log;
  } = {},
): Promise<House> {
  const { clock = new StepClock(), returnCodes = true, between = (queue) => queue } = given;
  const log = given.log ?? silentLog;
  const db = openDatabase(folder);
  const limits = { maxTaskBytes: 1024 ** 2, cacheBytes: 1024 ** 2, temporaryBytes: 1024 ** 2 };
  const store = createQueueStore(db);
  const engine = await QueueEngine.open({ store, clock, limits, log });
  const parsed = parseConfig({ env: {}, readSecretFile: () => "" });
  assert.ok("config" in parsed);
  const auth = createAuthService({
    repository: createAuthRepository(db),
    keys: openSealingKeys(folder),
    settings: { ...readAuthSettings(parsed.config), passwordMemoryKiB: 64, returnCodes },
    clock,
    log,
    mailQueue: between(await openMailQueue(engine, TUBE)),
  });
  const transport = createRouterTransport((router) => {
    router.service(AuthService, auth.implementation);
  });
  const outbox = () => db.handle.prepare("SELECT * FROM mail_outbox").all();
  return {
    client: createClient(AuthService, transport),
    engine,
    clock,
    outbox,
    async carried() {
      while (outbox().length > 0) await moment();
    },
    async mail() {
      const { tasks } = await engine.listTasks(TUBE, undefined, 0, 100);
      return tasks.map(({ payload }) => JSON.parse(String(payload?.value)));
    },
    async close() {
      await auth.close();
      await engine.close();
      db.close();
    },
  };
}

async function openForTest(t: TestContext, given: Parameters<typeof open>[1] = {}): Promise<House> {
  const house = await open(temporaryFolder(t), given);
  t.after(() => house.close());
  return house;
}

describe("With a tube for mail", () => {
  test("codes, tokens and notices become tasks that end when they lose their use", async (t) => {
    const { client, engine, clock, carried, mail } = await openForTest(t);
    const { activationCode: code } = await client.register({ email: "Ann@example.com" });
    const { user } = await client.completeRegistration({ email, code, password: PASSWORD });
    const { resetToken } = await client.requestPasswordReset({ email: "ANN@EXAMPLE.COM" });
    const reset = { email, resetToken, password: OTHER_PASSWORD };
    await client.completePasswordReset(reset);
    const change = { oldPassword: OTHER_PASSWORD, newPassword: PASSWORD };
    await client.changePassword({ userId: user?.id ?? "", ...change });
    await carried();
    const to = "Ann@example.com";
    const at = (ms: number): string => new Date(clock.now() + ms).toISOString();
    assert.deepEqual(await mail(), [
      { kind: "registration", to, code, expireTime: at(DAY) },
      { kind: "password_reset", to, resetToken, expireTime: at(60 * MINUTE) },
      { kind: "password_changed", to },
      { kind: "password_changed", to },
    ]);
    clock.step(60 * MINUTE);
    while ((await mail()).length > 3) await moment();
    assert.deepEqual(
      (await mail()).map(({ kind }) => kind),
      ["registration", "password_changed", "password_changed"],
    );
    clock.step(300 * DAY);
    while ((await mail()).length > 2) await moment();
    const view = engine.getTube(TUBE);
    assert.equal(view.kind, "FIFOTTL");
  });

  test("callers need not be told the codes, which work all the same", async (t) => {
    const { client, carried, mail } = await openForTest(t, { returnCodes: false });
    assert.equal((await client.register({ email })).activationCode, "");
    await carried();
    const [registration] = await mail();
    const code = registration?.["code"] ?? "";
    await client.completeRegistration({ email, code, password: PASSWORD });
    assert.equal((await client.requestPasswordReset({ email })).resetToken, "");
    await carried();
    const resetToken = (await mail())[1]?.["resetToken"] ?? "";
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
    await signIn(client, email, OTHER_PASSWORD);
  });

  test("what waits in the outbox cannot be read there", async (t) => {
    const between = (): MailQueue => ({ put: () => Promise.reject(new Error("not now")) });
    const { client, outbox } = await openForTest(t, { between });
    const { activationCode } = await client.register({ email });
    const [row] = outbox();
    const text = JSON.stringify(row);
    assert.ok(!text.includes(activationCode) && !text.includes("ann"));
  });
});

describe("No mail is lost and none is there twice:", () => {
  const notNow = (): MailQueue => ({ put: () => Promise.reject(new Error("not now")) });

  test("the process ends before the queue has the mail", async (t) => {
    const folder = temporaryFolder(t);
    const before = await open(folder, { between: notNow });
    await before.client.register({ email });
    await before.close();
    const after = await open(folder);
    t.after(() => after.close());
    await after.carried();
    assert.equal((await after.mail()).length, 1);
  });

  test("the process ends when the queue has the mail and the outbox still, too", async (t) => {
    const folder = temporaryFolder(t);
    const clock = new StepClock();
    const answerLost = (queue: MailQueue): MailQueue => ({
      async put(mails) {
        await queue.put(mails);
        throw new Error("the answer is lost");
      },
    });
    const before = await open(folder, { clock, between: answerLost });
    await before.client.register({ email });
    while ((await before.mail()).length === 0) await moment();
    clock.step(10 * MINUTE);
    // A worker was quick, and the mail is sent.
    const now = { maxTasks: 1, waitMs: 0, session: "", signal: undefined };
    const [task] = await before.engine.take(TUBE, now);
    await before.engine.settle({ kind: "ack", lease: task?.lease ?? "" });
    assert.equal(before.outbox().length, 1);
    await before.close();
    clock.step(DAY / 2);
    const after = await open(folder, { clock });
    t.after(() => after.close());
    await after.carried();
    assert.deepEqual(await after.mail(), []);
  });

  test("the tube is away for a while", async (t) => {
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
    const { client, engine, clock, carried, mail, outbox } = await openForTest(t, { log });
    await engine.deleteTube(TUBE, false);
    for (let nth = 0; nth < 3; nth++) await client.register({ email: `user${nth}@example.com` });
    while (warnings.length === 0) await moment();
    assert.equal(outbox().length, 3);
    await openMailQueue(engine, TUBE);
    while (outbox().length > 0) {
      clock.step(MINUTE);
      await moment();
    }
    await carried();
    const to = (await mail()).map((task) => task["to"]);
    assert.deepEqual(to, ["user0@example.com", "user1@example.com", "user2@example.com"]);
    assert.match(warnings[0] ?? "", /mail could not be queued/);
  });

  test("more mail than one batch", async (t) => {
    const folder = temporaryFolder(t);
    const before = await open(folder, { between: notNow });
    for (let nth = 0; nth < 230; nth++) {
      await before.client.register({ email: `user${nth}@example.com` });
    }
    await before.close();
    const after = await open(folder);
    t.after(() => after.close());
    await after.carried();
    const { tasks } = await after.engine.listTasks(TUBE, undefined, 0, 1_000);
    assert.equal(tasks.length, 230);
  });

  test("but what has lost its use is not queued any more", async (t) => {
    const folder = temporaryFolder(t);
    const clock = new StepClock();
    const before = await open(folder, { clock, between: notNow });
    const user = await signUp(before.client, email);
    await before.client.requestPasswordReset({ email });
    const change = { userId: user.id, oldPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    await before.client.changePassword(change);
    await before.close();
    clock.step(2 * DAY);
    const after = await open(folder, { clock });
    t.after(() => after.close());
    await after.carried();
    assert.deepEqual(await after.mail(), [{ kind: "password_changed", to: email }]);
  });
});

describe("A tube that would not keep mail safe stops the start:", () => {
  for (const [words, tube] of [
    ["of another kind", { kind: "FIFO", temporary: false }],
    ["in memory alone", { kind: "FIFOTTL", temporary: true }],
  ] as const) {
    test(words, async (t) => {
      const { engine } = await openForTest(t);
      await engine.createTube({ name: "other", settings: {}, ...tube }, false);
      await assert.rejects(openMailQueue(engine, "other"), MailTubeError);
    });
  }
});
