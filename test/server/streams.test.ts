import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { WatchRequestSchema } from "../../gen/usher/queue/v1/stream_pb.ts";
import {
  aborted,
  collect,
  errorOf,
  http2Transports,
  moment,
  type QueueHandlers,
  startTestServer,
  type TestServer,
  transports,
} from "./harness.ts";

/** Counts what it is sent, and answers with the sequence of each settlement. */
const echo: QueueHandlers = {
  put: ({ tube }) => ({ task: { tube, id: 2n ** 63n } }),
  async *work(requests) {
    for await (const { message } of requests) {
      if (message.case !== "settle") continue;
      const { sequence } = message.value;
      yield { message: { case: "settled", value: { sequence } } };
    }
    // Only a half-close gets here.
    yield { message: { case: "settled", value: { sequence: 0n } } };
  },
  async *watch({ tube }) {
    for (let i = 0; i < Number(tube); i++) yield { message: { case: "missed", value: BigInt(i) } };
  },
};

function settle(sequence: number) {
  return { message: { case: "settle" as const, value: { sequence: BigInt(sequence) } } };
}

function withServer(queue: QueueHandlers, body: (server: TestServer) => Promise<void>) {
  return async () => {
    const server = await startTestServer(queue);
    try {
      await body(server);
    } finally {
      await server.close(0);
    }
  };
}

describe("every transport", () => {
  for (const [name, connect] of Object.entries(transports)) {
    test(
      `${name}: a call and a stream of a thousand answers`,
      withServer(echo, async (server) => {
        await using caller = connect(server);
        const { task } = await caller.client.put({ tube: "a" });
        assert.equal(task?.id, 2n ** 63n);
        const events = await collect(caller.client.watch({ tube: "1000" }));
        assert.deepEqual(
          events.map(({ message }) => message.value),
          Array.from({ length: 1000 }, (_, i) => BigInt(i)),
        );
      }),
    );

    test(
      `${name}: a stream without answers ends well`,
      withServer(echo, async (server) => {
        await using caller = connect(server);
        assert.deepEqual(await collect(caller.client.watch({ tube: "0" })), []);
      }),
    );

    const slow = moment<AbortSignal>();
    test(
      `${name}: a deadline ends a call and a stream, and the handler learns of it`,
      withServer(
        {
          async put(_, { signal, timeoutMs }) {
            assert.ok((timeoutMs() ?? 0) > 0);
            await aborted(signal);
            slow.reach(signal);
            return {};
          },
          async *watch(_, { signal }) {
            yield {};
            await aborted(signal);
            signal.throwIfAborted();
          },
        },
        async (server) => {
          await using caller = connect(server);
          const options = { timeoutMs: 100 };
          const { code } = await errorOf(caller.client.put({}, options));
          assert.equal(code, "DeadlineExceeded");
          assert.ok((await slow.reached).aborted);
          const watched = await errorOf(collect(caller.client.watch({}, options)));
          assert.equal(watched.code, "DeadlineExceeded");
        },
      ),
    );

    const waiting = moment();
    const cancelled = moment<AbortSignal>();
    test(
      `${name}: a caller that cancels a call ends its handler`,
      withServer(
        {
          async put(_, { signal }) {
            waiting.reach();
            await aborted(signal);
            cancelled.reach(signal);
            return {};
          },
        },
        async (server) => {
          await using caller = connect(server);
          const controller = new AbortController();
          const call = errorOf(caller.client.put({}, { signal: controller.signal }));
          await waiting.reached;
          controller.abort();
          assert.equal((await call).code, "Canceled");
          assert.ok((await cancelled.reached).aborted);
        },
      ),
    );

    const finished = { waiting: moment(), sending: moment() };
    test(
      `${name}: a caller that leaves a stream runs the handler's finally, waiting or sending`,
      withServer(
        {
          async *watch({ tube }, { signal }) {
            try {
              yield {};
              if (tube === "waiting") await aborted(signal);
              for (;;) {
                await turn();
                yield { message: { case: "missed", value: 1n } };
              }
            } finally {
              finished[tube === "waiting" ? "waiting" : "sending"].reach();
            }
          },
        },
        async (server) => {
          await using caller = connect(server);
          for (const tube of ["waiting", "sending"] as const) {
            const controller = new AbortController();
            const call = caller.client.watch({ tube }, { signal: controller.signal });
            await call[Symbol.asyncIterator]().next();
            controller.abort();
            await finished[tube].reached;
          }
        },
      ),
    );

    test(
      `${name}: headers go both ways, binary ones too`,
      withServer(
        {
          put(_, { requestHeader, responseHeader, responseTrailer }) {
            responseHeader.set("x-echo", requestHeader.get("x-ask") ?? "");
            responseHeader.set("x-echo-bin", requestHeader.get("x-ask-bin") ?? "");
            responseTrailer.set("x-last", "words");
            return {};
          },
          async *watch(_, { requestHeader, responseHeader, responseTrailer }) {
            responseHeader.set("x-echo", requestHeader.get("x-ask") ?? "");
            yield {};
            responseTrailer.set("x-last", "words");
          },
        },
        async (server) => {
          await using caller = connect(server);
          const seen: Record<string, string | null> = {};
          const options = {
            headers: { "x-ask": "a, b", "x-ask-bin": "AQID" },
            onHeader(headers: Headers) {
              seen["echo"] = headers.get("x-echo");
              seen["binary"] = headers.get("x-echo-bin");
            },
            onTrailer(trailers: Headers) {
              seen["last"] = trailers.get("x-last");
            },
          };
          await caller.client.put({}, options);
          assert.equal(seen["echo"], "a, b");
          assert.equal(seen["binary"]?.replace(/=+$/, ""), "AQID");
          assert.equal(seen["last"], "words");
          seen["last"] = null;
          await collect(caller.client.watch({}, options));
          assert.equal(seen["echo"], "a, b");
          assert.equal(seen["last"], "words");
        },
      ),
    );

    test(
      `${name}: the context names the call`,
      withServer(
        {
          put: (_, { method, service, url, protocolName, requestMethod, values }) => {
            assert.equal(typeof values.get, "function");
            return {
              task: {
                tube: [service.typeName, method.name, protocolName, requestMethod].join(" "),
                payload: { content: { case: "text", value: new URL(url).pathname } },
              },
            };
          },
        },
        async (server) => {
          await using caller = connect(server);
          const { task } = await caller.client.put({});
          const protocol = /^(Connect|gRPC-Web|gRPC)/.exec(name)?.[0].toLowerCase();
          assert.equal(task?.tube, `usher.queue.v1.QueueService Put ${protocol} POST`);
          assert.equal(task?.payload?.content.value, "/usher.queue.v1.QueueService/Put");
        },
      ),
    );
  }

  test(
    "a call without a deadline has no time-out",
    withServer(
      {
        put: (_, { timeoutMs }) => ({ task: { tube: String(timeoutMs()) } }),
      },
      async (server) => {
        for (const connect of Object.values(transports)) {
          await using caller = connect(server);
          assert.equal((await caller.client.put({})).task?.tube, "undefined");
        }
      },
    ),
  );
});

describe("streams in both directions", () => {
  for (const [name, connect] of Object.entries(http2Transports)) {
    test(
      `${name}: answers come while the caller still sends, and the half-close is seen`,
      withServer(echo, async (server) => {
        await using caller = connect(server);
        const sent = [moment(), moment()];
        async function* requests() {
          yield settle(1);
          await sent[0]?.reached;
          yield settle(2);
          await sent[1]?.reached;
        }
        const answers = caller.client.work(requests())[Symbol.asyncIterator]();
        const next = async () => (await answers.next()).value?.message.value;
        assert.equal((await next())?.sequence, 1n);
        sent[0]?.reach();
        assert.equal((await next())?.sequence, 2n);
        sent[1]?.reach();
        assert.equal((await next())?.sequence, 0n);
        assert.equal((await answers.next()).done, true);
      }),
    );

    test(
      `${name}: a thousand requests come in order`,
      withServer(echo, async (server) => {
        await using caller = connect(server);
        const count = 1000;
        async function* requests() {
          for (let i = 1; i <= count; i++) yield settle(i);
        }
        const answers = await collect(caller.client.work(requests()));
        assert.equal(answers.length, count + 1);
        answers.slice(0, count).forEach(({ message }, i) => {
          assert.deepEqual(message.value, { ...message.value, sequence: BigInt(i + 1) });
        });
      }),
    );

    test(
      `${name}: a handler may answer before it has read everything`,
      withServer(
        {
          async *work(requests) {
            for await (const _ of requests) {
              yield settledAnswer;
              return;
            }
          },
        },
        async (server) => {
          await using caller = connect(server);
          const done = moment();
          async function* requests() {
            for (let i = 0; i < 10; i++) yield settle(i);
            await done.reached;
          }
          const answers = await collect(caller.client.work(requests()));
          done.reach();
          assert.equal(answers.length, 1);
          await caller.client.createTube({}).catch(() => {});
        },
      ),
    );
  }
});

const settledAnswer = { message: { case: "settled" as const, value: { sequence: 1n } } };

describe("a client that does not play along", () => {
  const large = "x".repeat(16 * 1024);

  for (const port of ["grpcAddress", "httpAddress"] as const) {
    const made = { count: 0 };
    const ended = moment();
    test(
      `${port}: one that reads nothing holds the handler back, and ends it when it vanishes`,
      withServer(
        {
          async *watch() {
            try {
              for (;;) {
                made.count++;
                yield { message: { case: "event", value: { task: { tube: large } } } };
              }
            } finally {
              ended.reach();
            }
          },
          put: () => ({}),
        },
        async (server) => {
          const session = connectHttp2(`http://${server[port]}`);
          const call = session.request({
            ":method": "POST",
            ":path": "/usher.queue.v1.QueueService/Watch",
            "content-type": "application/grpc",
            te: "trailers",
          });
          call.on("error", () => {});
          call.end(grpcMessage(toBinary(WatchRequestSchema, create(WatchRequestSchema))));
          call.pause();
          // Other calls are answered meanwhile, and the server goes on until its buffers are full.
          await using caller = transports["gRPC on the gRPC port"]?.(server);
          let before = -1;
          while (made.count !== before || made.count === 0) {
            before = made.count;
            for (let i = 0; i < 20; i++) await caller?.client.put({});
          }
          assert.ok(made.count < 64, `${made.count} answers for a client that reads nothing`);
          session.destroy();
          await ended.reached;
        },
      ),
    );

    const reading = { begun: moment(), failed: moment<unknown>() };
    test(
      `${port}: one that vanishes while its requests are read fails that reading`,
      withServer(
        {
          // biome-ignore lint/correctness/useYield: it never comes to an answer.
          async *work(requests) {
            try {
              for await (const _ of requests) reading.begun.reach();
              reading.failed.reach("half-close");
            } catch (error) {
              reading.failed.reach(error);
              throw error;
            }
          },
        },
        async (server) => {
          const session = connectHttp2(`http://${server[port]}`);
          session.on("error", () => {});
          const call = session.request({
            ":method": "POST",
            ":path": "/usher.queue.v1.QueueService/Work",
            "content-type": "application/grpc",
            te: "trailers",
          });
          call.on("error", () => {});
          call.write(grpcMessage(new Uint8Array()));
          await reading.begun.reached;
          session.socket.destroy();
          const error = await reading.failed.reached;
          assert.ok(error instanceof ConnectError, String(error));
          assert.equal(error.code, Code.Canceled);
          assert.deepEqual(
            server.logged.filter(({ level }) => level === "error"),
            [],
          );
        },
      ),
    );

    const begun = { count: 0, ended: 0, all: moment(), none: moment() };
    test(
      `${port}: one that vanishes in the middle of many calls ends them all`,
      withServer(
        {
          async put(_, { signal }) {
            if (++begun.count === 50) begun.all.reach();
            await aborted(signal);
            if (++begun.ended === 50) begun.none.reach();
            return {};
          },
        },
        async (server) => {
          const session = connectHttp2(`http://${server[port]}`);
          session.on("error", () => {});
          for (let i = 0; i < 50; i++) {
            const call = session.request({
              ":method": "POST",
              ":path": "/usher.queue.v1.QueueService/Put",
              "content-type": "application/grpc",
              te: "trailers",
            });
            call.on("error", () => {});
            call.end(grpcMessage(new Uint8Array()));
          }
          await begun.all.reached;
          session.destroy();
          await begun.none.reached;
        },
      ),
    );
  }
});

function grpcMessage(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
