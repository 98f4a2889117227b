import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { invalid, UsherError } from "../../src/base/errors.ts";
import {
  collect,
  errorOf,
  overGrpc,
  startTestServer,
  type TestServer,
  transports,
} from "./harness.ts";

const SECRET = "password=hunter2";

/** Fails in the way that the tube's name asks for. */
function fail(how: string): never {
  switch (how) {
    case "missing":
      throw new UsherError("TUBE_NOT_FOUND", { message: "no tube “missing”: 100 %" });
    case "invalid":
      throw new UsherError("INVALID_PARAMS", {
        message: "two faults",
        violations: [
          { field: "tube", description: "is bad" },
          { field: "task.priority", description: "is worse" },
        ],
      });
    case "storage":
      throw new UsherError("STORAGE_UNAVAILABLE", { cause: new Error(SECRET) });
    case "attempts":
      throw new UsherError("TOO_MANY_ATTEMPTS", { retryAfterMs: 90_500 });
    case "surrogate":
      throw invalid(`\ud800${"x".repeat(5000)}`, `\udfff${"y".repeat(100_000)}`);
    default:
      throw new TypeError(SECRET);
  }
}

const expected: Readonly<Record<string, object>> = {
  missing: {
    code: "NotFound",
    message: "no tube “missing”: 100 %",
    reason: "TUBE_NOT_FOUND",
    domain: "usher",
    violations: [],
    retryMs: undefined,
  },
  invalid: {
    code: "InvalidArgument",
    message: "two faults",
    reason: "INVALID_PARAMS",
    domain: "usher",
    violations: [
      { field: "tube", description: "is bad" },
      { field: "task.priority", description: "is worse" },
    ],
    retryMs: undefined,
  },
  storage: {
    code: "Unavailable",
    message: "The database did not take the change; nothing was promised.",
    reason: "STORAGE_UNAVAILABLE",
    domain: "usher",
    violations: [],
    retryMs: 1000,
  },
  attempts: {
    code: "ResourceExhausted",
    message: "Too many failed attempts; wait before the next.",
    reason: "TOO_MANY_ATTEMPTS",
    domain: "usher",
    violations: [],
    retryMs: 90_500,
  },
  crash: {
    code: "Internal",
    message: "internal error",
    reason: undefined,
    domain: undefined,
    violations: [],
    retryMs: undefined,
  },
};

describe("an error is the same on every transport", () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({
      getTube: ({ tube }) => fail(tube),
      async put({ tube }) {
        await null;
        return fail(tube);
      },
      async *watch({ tube, includePayload }) {
        if (includePayload) yield { message: { case: "missed", value: 7n } };
        fail(tube);
      },
      async *work(requests) {
        for await (const { message } of requests) {
          if (message.case === "start") fail(message.value.session);
          yield {};
        }
      },
    });
  });
  after(() => server.close(0));

  for (const [name, connect] of Object.entries(transports)) {
    for (const [how, error] of Object.entries(expected)) {
      test(`${name}: ${how}, thrown at once, later, before and in the middle of a stream`, async () => {
        await using caller = connect(server);
        const { client } = caller;
        const check = async (call: Promise<unknown>) => {
          const { details, metadata, ...shown } = await errorOf(call);
          assert.deepEqual(shown, error);
        };
        await check(client.getTube({ tube: how }));
        await check(client.put({ tube: how }));
        await check(collect(client.watch({ tube: how })));
        const stream = client.watch({ tube: how, includePayload: true })[Symbol.asyncIterator]();
        assert.equal((await stream.next()).value?.message.value, 7n);
        await check(stream.next());
        if (!name.includes("HTTP/1.1")) {
          const start = { message: { case: "start" as const, value: { session: how } } };
          const settle = { message: { case: "settle" as const, value: {} } };
          await check(collect(client.work(only([start]))));
          await check(collect(client.work(only([settle, start]))));
        }
      });
    }

    test(`${name}: what a caller sent cannot make an error too large or malformed`, async () => {
      await using caller = connect(server);
      const shown = await errorOf(caller.client.put({ tube: "surrogate" }));
      assert.equal(shown.code, "InvalidArgument");
      assert.equal(shown.reason, "INVALID_PARAMS");
      assert.ok(shown.message.length <= 500);
      const [violation] = shown.violations;
      assert.ok(violation !== undefined && violation.field.length <= 100);
      assert.ok(violation.field.startsWith("\ufffdxxx"));
      assert.ok(violation.description.length <= 300);
    });

    test(`${name}: what is not implemented is UNIMPLEMENTED without a reason`, async () => {
      await using caller = connect(server);
      const check = async (call: Promise<unknown>) => {
        const { code, reason, details } = await errorOf(call);
        assert.deepEqual([code, reason, details], ["Unimplemented", undefined, 0]);
      };
      await check(caller.client.listTubes({}));
      if (!name.includes("HTTP/1.1")) await check(collect(caller.client.produce(only([]))));
    });
  }

  test("an unexpected error is logged with its cause under the id that its caller got", async () => {
    for (const [name, connect] of Object.entries(transports)) {
      await using caller = connect(server);
      const { metadata } = await errorOf(caller.client.put({ tube: "crash" }));
      const requestId = metadata.get("x-request-id");
      assert.match(requestId ?? "", /^[0-9a-f-]{36}$/, name);
      const line = server.logged.find(({ fields }) => fields["requestId"] === requestId);
      assert.equal(line?.level, "error");
      assert.equal(line.fields["rpc"], "usher.queue.v1.QueueService/Put");
      assert.ok(line.fields["err"] instanceof TypeError);
    }
  });

  test("a database that fails a call is logged, an ordinary refusal is not", async () => {
    await using caller = overGrpc(server);
    const before = server.logged.length;
    await errorOf(caller.client.put({ tube: "missing" }));
    await errorOf(caller.client.put({ tube: "invalid" }));
    assert.equal(server.logged.length, before);
    await errorOf(caller.client.put({ tube: "storage" }));
    assert.equal(server.logged.length, before + 1);
    assert.equal(server.logged.at(-1)?.level, "warn");
  });
});

async function* only<Message>(messages: readonly Message[]): AsyncGenerator<Message> {
  yield* messages;
}
