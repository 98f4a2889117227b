import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { test } from "node:test";
import { MongoNetworkError, MongoServerError } from "mongodb";
import { UsherError } from "../../../src/base/errors.ts";
import { createAuthRepository } from "../../../src/storage/mongodb/auth/repository.ts";
import { openDatabase } from "../../../src/storage/mongodb/database.ts";
import { StorageOpenError } from "../../../src/storage/open-error.ts";
import { withoutMongodb } from "../../support/mongod.ts";
import { testDatabase } from "../../support/mongodb.ts";
import { startOwnMongod } from "./own-mongod.ts";

const skip = withoutMongodb;
/** Far more than the limits of the storage, and far less than what the driver would take. */
const timeout = 60_000;

async function unavailable(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof UsherError);
    assert.equal(error.reason, "STORAGE_UNAVAILABLE");
    assert.ok(error.retryAfterMs);
    return true;
  });
}

/** The line that an operator sees. */
async function refusedToOpen(url: string): Promise<string> {
  const error = await openDatabase(url).then(
    () => assert.fail("it does not open"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StorageOpenError);
  assert.doesNotMatch(error.message, /\n/);
  return error.message;
}

test("a MongoDB that hangs fails what waits for it, and so does one that is gone", {
  skip,
  timeout,
}, async (t) => {
  const mongod = await startOwnMongod(t);
  await using stack = new AsyncDisposableStack();
  const database = await openDatabase(mongod.url);
  stack.defer(() => database.close());
  const repository = createAuthRepository(database, "one");
  const failAll = () =>
    Promise.all([
      unavailable(database.ping()),
      unavailable(repository.findUser({ userId: "ann" })),
      unavailable(repository.activateUser({ userId: "ann", now: 0 })),
    ]);
  assert.equal(await repository.findUser({ userId: "ann" }), undefined);
  await mongod.hang();
  await failAll();
  await mongod.kill();
  await failAll();
});

test("a command on a connection that has just been destroyed fails, and does not wait for ever", {
  skip,
  timeout,
}, async (t) => {
  const url = await testDatabase(t);
  const sockets: Socket[] = [];
  const collect = (message: unknown): void => {
    sockets.push((message as { readonly socket: Socket }).socket);
  };
  subscribe("net.client.socket", collect);
  t.after(() => unsubscribe("net.client.socket", collect));
  await using stack = new AsyncDisposableStack();
  const database = await openDatabase(url);
  stack.defer(() => database.close());
  await database.ping();
  // The driver hears of it only when it has written the next command.
  for (const socket of sockets) socket.destroy();
  const error: unknown = await database.ping().catch((thrown: unknown) => thrown);
  assert.ok(error instanceof UsherError && error.cause instanceof MongoNetworkError, `${error}`);
  await database.ping();
});

test("a step that meets others again and again is given up", { skip, timeout }, async (t) => {
  await using stack = new AsyncDisposableStack();
  const database = await openDatabase(await testDatabase(t));
  stack.defer(() => database.close());
  let times = 0;
  await unavailable(
    database.transaction(async () => {
      times++;
      const conflict = new MongoServerError({ message: "WriteConflict", code: 112 });
      conflict.addErrorLabel("TransientTransactionError");
      throw conflict;
    }),
  );
  assert.ok(times > 1);
});

test("a MongoDB that is no replica set is refused, and the line says what to do", {
  skip,
  timeout,
}, async (t) => {
  const { url } = await startOwnMongod(t, { isInSet: false });
  assert.match(await refusedToOpen(url), /is no replica set.*--replSet.*rs\.initiate\(\)/);
});

test("a URL that cannot be used is refused without being shown", { timeout }, async () => {
  const wrong = [
    "mongodb://ann:s3cret@",
    "mongodb://ann:s3cret@127.0.0.1:port/usher",
    "mongodb://ann:s3cret@127.0.0.1/usher?wrongOption=s3cret",
    "mongodb://ann:s3:cret@127.0.0.1/usher",
    "mongodb://ann:s3cret@127.0.0.1:1/usher?replicaSet=none",
    "mongodb+srv://ann:s3cret@usher.invalid/usher",
  ];
  const lines = await Promise.all(wrong.map(refusedToOpen));
  for (const line of lines) assert.doesNotMatch(line, /s3|cret|\bann\b/);
});
