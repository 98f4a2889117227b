import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.ts";
import { ListenError } from "../../src/server/listener.ts";
import { startServer } from "../../src/server/server.ts";
import {
  aborted,
  collect,
  errorOf,
  http2Transports,
  moment,
  overGrpc,
  startTestServer,
  transports,
} from "./harness.ts";

const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;

test("a thousand calls at once are all answered, on every transport", async () => {
  const begun = { count: 0 };
  let all = moment();
  const server = await startTestServer({
    async put({ tube }) {
      // None is answered before the last has come.
      if (++begun.count === 1000) all.reach();
      await all.reached;
      return { task: { tube } };
    },
  });
  for (const connect of Object.values(transports)) {
    begun.count = 0;
    all = moment();
    await using caller = connect(server);
    const calls = Array.from({ length: 1000 }, (_, i) => caller.client.put({ tube: String(i) }));
    const tubes = (await Promise.all(calls)).map(({ task }) => task?.tube);
    assert.deepEqual(tubes, [...tubes.keys()].map(String));
  }
  await server.close(0);
});

describe("drain", () => {
  for (const [name, connect] of Object.entries(http2Transports)) {
    test(`${name}: refuses new calls with SHUTTING_DOWN while those that run go on`, async () => {
      const begun = moment();
      const goOn = moment();
      const server = await startTestServer({
        async put() {
          begun.reach();
          await goOn.reached;
          return { duplicate: true };
        },
        async *watch() {
          yield {};
          await goOn.reached;
          yield {};
        },
      });
      await using caller = connect(server);
      const running = caller.client.put({});
      const watching = caller.client.watch({})[Symbol.asyncIterator]();
      await watching.next();
      await begun.reached;

      server.drain();
      const refused = await errorOf(caller.client.put({}));
      assert.equal(refused.code, "Unavailable");
      assert.equal(refused.reason, "SHUTTING_DOWN");
      assert.equal(refused.retryMs, 1000);
      assert.equal((await errorOf(collect(caller.client.watch({})))).reason, "SHUTTING_DOWN");

      goOn.reach();
      assert.equal((await running).duplicate, true);
      assert.equal((await watching.next()).done, false);
      assert.equal((await watching.next()).done, true);
      await server.close(0);
    });
  }
});

describe("close", () => {
  for (const [name, connect] of Object.entries(transports)) {
    test(`${name}: waits for the calls that run, then opens the way for a new server`, async () => {
      const begun = moment();
      const goOn = moment();
      const server = await startTestServer({
        async put() {
          begun.reach();
          await goOn.reached;
          return { duplicate: true };
        },
      });
      await using caller = connect(server);
      const running = caller.client.put({});
      await begun.reached;
      let closed = false;
      const closing = server.close(60_000).then(() => {
        closed = true;
      });
      // It stays open as long as the call runs.
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(closed, false);
      goOn.reach();
      assert.equal((await running).duplicate, true);
      await closing;
      const [host = "", port] = server.grpcAddress.split(":");
      const next = await startTestServer({}, { grpcListen: { host, port: Number(port) } });
      assert.equal(next.grpcAddress, server.grpcAddress);
      await next.close(0);
    });

    test(`${name}: after the grace, calls and streams end with SHUTTING_DOWN`, async () => {
      const begun = [moment(), moment()];
      const reasons: unknown[] = [];
      const server = await startTestServer({
        async put(_, { signal }) {
          begun[0]?.reach();
          await aborted(signal);
          reasons.push(signal.reason);
          signal.throwIfAborted();
          return {};
        },
        async *watch(_, { signal }) {
          yield {};
          begun[1]?.reach();
          await aborted(signal);
          signal.throwIfAborted();
        },
      });
      await using caller = connect(server);
      const call = errorOf(caller.client.put({}));
      const stream = errorOf(collect(caller.client.watch({})));
      await Promise.all(begun.map(({ reached }) => reached));
      await server.close(20);
      assert.equal((await call).reason, "SHUTTING_DOWN");
      assert.equal((await stream).reason, "SHUTTING_DOWN");
      assert.ok(reasons[0] instanceof Error);
    });
  }

  test("a handler that heeds no signal does not hold it up for ever", async () => {
    const stuck = Object.values(transports).map(async (connect) => {
      const begun = moment();
      const server = await startTestServer({
        put() {
          begun.reach();
          return new Promise(() => {});
        },
      });
      await using caller = connect(server);
      const call = errorOf(caller.client.put({}));
      await begun.reached;
      await server.close(0);
      await call;
    });
    await Promise.all(stuck);
  });

  test("connections that are idle or say nothing do not hold it up, and twice is as once", async () => {
    const server = await startTestServer({ put: () => ({}) });
    const { connect } = await import("node:net");
    const silent = [server.grpcAddress, server.httpAddress].map((address) => {
      const [host, port] = address.split(":");
      return connect(Number(port), host);
    });
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    await using idle = overGrpc(server);
    await idle.client.put({});
    await fetch(`http://${server.httpAddress}/healthz`).then((answer) => answer.text());
    const closed = silent.map((socket) => once(socket.on("error", () => {}).resume(), "close"));
    await Promise.all([server.close(60_000), server.close(0)]);
    await Promise.all(closed);
  });
});

describe("the start", () => {
  test("a port that is taken is one line that names the address and the setting", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    assert.ok(typeof address === "object" && address !== null);
    const taken = { host: "127.0.0.1", port: address.port };
    const expect = (setting: string) => (error: unknown) => {
      assert.ok(error instanceof ListenError);
      assert.equal(
        error.message,
        `cannot listen on 127.0.0.1:${taken.port} (${setting}): the port is in use`,
      );
      return true;
    };
    await assert.rejects(startTestServer({}, { grpcListen: taken }), expect("USHER_GRPC_LISTEN"));
    await assert.rejects(startTestServer({}, { httpListen: taken }), expect("USHER_HTTP_LISTEN"));
    holder.close();
  });

  test("what was opened is closed again when the other listener cannot be", async () => {
    const first = await startTestServer({});
    const [host = "", port] = first.httpAddress.split(":");
    await first.close(0);
    const holder = createServer().listen(Number(port), host);
    await once(holder, "listening");
    const grpc = { host, port: Number(first.grpcAddress.split(":")[1]) };
    const http = { host, port: Number(port) };
    await assert.rejects(startTestServer({}, { grpcListen: grpc, httpListen: http }), ListenError);
    holder.close();
    await once(holder, "close");
    const second = await startTestServer({}, { grpcListen: grpc, httpListen: http });
    await second.close(0);
  });

  test("IPv6 addresses are written in brackets, and names are resolved", async () => {
    const server = await startTestServer(
      { put: () => ({}) },
      { grpcListen: { host: "::1", port: 0 }, httpListen: { host: "localhost", port: 0 } },
    );
    assert.match(server.grpcAddress, /^\[::1\]:\d+$/);
    assert.match(server.httpAddress, /^(127\.0\.0\.1|\[::1\]):\d+$/);
    for (const connect of Object.values(transports)) {
      await using caller = connect(server);
      await caller.client.put({});
    }
    await server.close(0);
  });

  test("a host that does not exist is one line too", async () => {
    const nowhere = { host: "nowhere.invalid", port: 1 };
    await assert.rejects(startTestServer({}, { grpcListen: nowhere }), (error: unknown) => {
      assert.ok(error instanceof ListenError);
      assert.match(error.message, /^cannot listen on nowhere\.invalid:1 \(USHER_GRPC_LISTEN\): /);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  });

  test("both services are there, and what they do not implement is UNIMPLEMENTED", async () => {
    const server = await startServer({
      services: { auth: {}, queue: {} },
      grpcListen: { host: "127.0.0.1", port: 0 },
      httpListen: { host: "127.0.0.1", port: 0 },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      probe() {},
      maxRequestBytes: 1000,
    });
    for (const path of ["auth.v1.AuthService/SignIn", "queue.v1.QueueService/Put"]) {
      const answer = await fetch(`http://${server.httpAddress}/usher.${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      assert.equal(answer.status, 501);
    }
    await server.close(0);
  });
});

describe("grpc.health.v1", () => {
  const names = ["", "usher.auth.v1.AuthService", "usher.queue.v1.QueueService"];
  for (const [name, connect] of Object.entries(http2Transports)) {
    test(`${name}: follows the database and the drain`, async () => {
      const server = await startTestServer({});
      await using caller = connect(server);
      const health = createClient(Health, caller.transport);
      const all = async (expected: number) => {
        for (const service of names) {
          assert.equal((await health.check({ service })).status, expected, service);
        }
        const { statuses } = await health.list({});
        assert.deepEqual(
          Object.entries(statuses).map(([service, { status }]) => [service, status]),
          names.map((service) => [service, expected]),
        );
      };
      await all(SERVING);
      server.setDatabaseUp(false);
      await all(NOT_SERVING);
      server.setDatabaseUp(true);
      await all(SERVING);
      server.drain();
      await all(NOT_SERVING);
      await server.close(0);
    });

    test(`${name}: an unknown service is NOT_FOUND, and watched it is SERVICE_UNKNOWN`, async () => {
      const server = await startTestServer({});
      await using caller = connect(server);
      const health = createClient(Health, caller.transport);
      const error = await health.check({ service: "nobody" }).catch(ConnectError.from);
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, Code.NotFound);
      const watched = health.watch({ service: "nobody" })[Symbol.asyncIterator]();
      const { SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
      assert.equal((await watched.next()).value?.status, SERVICE_UNKNOWN);
      // The stream has ended; that nobody reads its end does not hold the server up.
      await server.close(60_000);
    });

    test(`${name}: whoever watches is told of the drain at once, and the stream ends`, async () => {
      const server = await startTestServer({});
      await using caller = connect(server);
      const watched = createClient(Health, caller.transport).watch({})[Symbol.asyncIterator]();
      assert.equal((await watched.next()).value?.status, SERVING);
      server.drain();
      assert.equal((await watched.next()).value?.status, NOT_SERVING);
      assert.equal((await watched.next()).done, true);
      await server.close(60_000);
    });
  }
});
