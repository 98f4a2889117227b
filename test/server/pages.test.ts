import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentLog } from "../../src/logging/log.ts";
import { startHttpListener } from "../../src/server/http/listener.ts";
import { jsonAnswer, type Page } from "../../src/server/http/pages.ts";
import { startTestServer } from "./harness.ts";

async function get(address: string, path: string, method = "GET") {
  const answer = await fetch(`http://${address}${path}`, { method });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

test("/healthz says that the process is alive, whatever the database does", async () => {
  const server = await startTestServer({});
  server.setDatabaseUp(false);
  server.drain();
  const { status, headers, body } = await get(server.httpAddress, "/healthz?why=not");
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "application/json");
  assert.deepEqual(JSON.parse(body), { status: "alive" });
  await server.close(0);
});

test("/readyz is 503 while the database does not answer, and from the drain on", async () => {
  const server = await startTestServer({});
  const ready = async () => {
    const { status, body } = await get(server.httpAddress, "/readyz");
    return [status, JSON.parse(body)];
  };
  assert.deepEqual(await ready(), [200, { status: "ready" }]);
  server.setDatabaseUp(false);
  const down = { status: "not ready", reason: "the database does not answer" };
  assert.deepEqual(await ready(), [503, down]);
  assert.deepEqual(await ready(), [503, down]);
  // The log tells the change once, with what happened.
  const told = server.logged.filter(({ level }) => level === "warn");
  assert.equal(told.length, 1);
  server.setDatabaseUp(true);
  assert.deepEqual(await ready(), [200, { status: "ready" }]);
  server.drain();
  assert.deepEqual(await ready(), [503, { status: "not ready", reason: "draining" }]);
  await server.close(0);
});

test("a storage that takes no changes, or not those that need room, is named", async () => {
  let trouble: "full" | "read_only" = "full";
  const server = await startTestServer({}, { probe: () => trouble });
  const ready = async (): Promise<[number, object]> => {
    const { status, body } = await get(server.httpAddress, "/readyz");
    return [status, JSON.parse(body)];
  };
  const warning = "the disk is full: puts are refused";
  assert.deepEqual(await ready(), [200, { status: "ready", warning }]);
  trouble = "read_only";
  const reason = "the data folder is on a read-only file system";
  assert.deepEqual(await ready(), [503, { status: "not ready", reason }]);
  await server.close(0);
});

test("a database that hangs is one that does not answer", async () => {
  const server = await startTestServer({}, { probe: () => new Promise(() => {}) });
  assert.equal((await get(server.httpAddress, "/readyz")).status, 503);
  await server.close(0);
});

test("unknown pages are 404, other methods 405, HEAD has no body", async () => {
  const server = await startTestServer({});
  for (const path of ["/", "/health", "/usher.queue.v1.QueueService/", "/healthz/"]) {
    const { status, body } = await get(server.httpAddress, path);
    assert.equal(status, 404, path);
    assert.deepEqual(JSON.parse(body), {
      code: "unimplemented",
      message: "no such page or RPC; the pages are /healthz, /readyz",
    });
  }
  const posted = await get(server.httpAddress, "/healthz", "POST");
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
  assert.deepEqual(JSON.parse(posted.body), {
    code: "unimplemented",
    message: "this page is read with GET",
  });
  const head = await get(server.httpAddress, "/healthz", "HEAD");
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.notEqual(head.headers.get("content-length"), "0");
  await server.close(0);
});

test("more pages can be served, and one that fails shows nothing", async () => {
  const pages = new Map<string, Page>([
    ["/metrics", () => ({ status: 200, contentType: "text/plain", body: "up 1\n" })],
    ["/late", async () => jsonAnswer(200, {})],
    [
      "/broken",
      () => {
        throw new Error("secret");
      },
    ],
  ]);
  const server = await startTestServer({}, { pages });
  assert.equal((await get(server.httpAddress, "/metrics")).body, "up 1\n");
  assert.equal((await get(server.httpAddress, "/late")).status, 200);
  const { status, body } = await get(server.httpAddress, "/broken");
  assert.equal(status, 500);
  assert.equal(JSON.parse(body).code, "internal");
  assert.ok(!body.includes("secret"));
  await server.close(0);
});

/** A listener whose patience with silent connections the test chooses. */
async function startListener(peekTimeoutMs: number) {
  const controller = new AbortController();
  const listener = await startHttpListener({
    listen: { host: "127.0.0.1", port: 0 },
    services: [],
    pages: new Map([["/page", () => jsonAnswer(200, { page: true })]]),
    log: silentLog,
    abortSignal: controller.signal,
    maxRequestBytes: 1000,
    peekTimeoutMs,
  });
  const [host, port] = listener.address.split(":");
  return { listener, connect: () => connectTcp(Number(port), host) };
}

test("HTTP/1.1 and HTTP/2 are told apart however their first bytes are split", async () => {
  const { listener, connect } = await startListener(60_000);
  const http1 = "GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  // The preface, an empty SETTINGS frame, and GET /page as one HEADERS frame that ends the stream.
  const block = Buffer.concat([
    Buffer.from([0x82, 0x86, 0x04, 5]),
    Buffer.from("/page"),
    Buffer.from([0x01, 9]),
    Buffer.from("localhost"),
  ]);
  const http2 = Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    Buffer.from([0, 0, block.length, 1, 5, 0, 0, 0, 1]),
    block,
  ]);
  const cases = [
    { bytes: Buffer.from(http1), cuts: [1, 4, 30] },
    { bytes: http2, cuts: [1, 3, 10, 23, 24, 25, 40] },
  ];
  for (const { bytes, cuts } of cases) {
    for (const cut of [...cuts, bytes.length]) {
      const socket = connect();
      socket.setNoDelay(true);
      socket.write(bytes.subarray(0, cut));
      // Long enough to be a packet of its own; if it is not, the case is the easier one.
      await pause(5);
      socket.write(bytes.subarray(cut));
      let seen = "";
      for await (const chunk of socket.setEncoding("latin1")) {
        seen += chunk;
        if (seen.includes('{"page":true}')) break;
      }
      assert.ok(seen.includes('{"page":true}'), `${cut} of ${bytes.length}: ${seen}`);
    }
  }
  for (const cut of [1, 2, 5]) {
    const socket = connect();
    for (let at = 0; at < http2.length; at += cut) socket.write(http2.subarray(at, at + cut));
    let seen = "";
    for await (const chunk of socket.setEncoding("latin1")) {
      seen += chunk;
      if (seen.includes('{"page":true}')) break;
    }
  }
  await listener.close();
});

test("a connection that does not say what it speaks is cut in time", async () => {
  const { listener, connect } = await startListener(50);
  for (const bytes of ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"]) {
    const socket = connect();
    socket.write(bytes);
    assert.equal(await text(socket).catch(() => ""), "");
  }
  await listener.close();
});

test("an RPC that is not called as RPCs are is answered with a code and a sentence", async () => {
  const server = await startTestServer({});
  const url = `http://${server.httpAddress}/usher.queue.v1.QueueService/Put`;
  const read = await fetch(url, { method: "DELETE" });
  const typed = await fetch(url, { method: "POST", headers: { "content-type": "text/csv" } });
  assert.deepEqual([read.status, typed.status], [405, 415]);
  assert.deepEqual(await read.json(), {
    code: "unimplemented",
    message: "RPCs are called with POST",
  });
  assert.deepEqual(await typed.json(), {
    code: "unimplemented",
    message: "no such content type; for JSON, send Content-Type: application/json",
  });
  await server.close(0);
});
