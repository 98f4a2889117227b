import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { ListTubesRequestSchema } from "../../gen/usher/queue/v1/tube_pb.ts";
import { hostCheck } from "../../src/server/http/hosts.ts";
import type { ServerOptions } from "../../src/server/server.ts";
import { seen, startTestServer } from "./harness.ts";

const LIST = "/usher.queue.v1.QueueService/ListTubes";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** How to ask with any headers at all; `host` is sent as it is. */
type Ask = (
  address: string,
  request: { host: string; method?: string; path?: string; headers?: Record<string, string> },
) => Promise<Answer>;

const overHttp1: Ask = async (address, { host, method = "POST", path = LIST, headers = {} }) => {
  const [ip, port] = address.split(":");
  const socket = connectTcp(Number(port), ip);
  const all = { host, connection: "close", "content-length": "2", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n{}`);
  const answer = await text(socket);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  const [first = "", ...rest] = head.split("\r\n");
  const pairs = rest.map((line): [string, string] => {
    const at = line.indexOf(":");
    return [line.slice(0, at), line.slice(at + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers: new Headers(pairs), body };
};

const overHttp2: Ask = async (address, { host, method = "POST", path = LIST, headers = {} }) => {
  const session = connectHttp2(`http://${address}`);
  try {
    const call = session.request(
      { ":method": method, ":path": path, ":authority": host, ...headers },
      { endStream: false },
    );
    call.end("{}");
    const [received] = (await once(call, "response")) as [Record<string, string | number>];
    const pairs = Object.entries(received).filter(([name]) => !name.startsWith(":"));
    const body = await text(call);
    return {
      status: Number(received[":status"]),
      headers: new Headers(pairs.map(([name, value]): [string, string] => [name, String(value)])),
      body,
    };
  } finally {
    session.destroy();
  }
};

const ways: Readonly<Record<string, Ask>> = { "HTTP/1.1": overHttp1, "HTTP/2": overHttp2 };
const json = { "content-type": "application/json" };

function errorIn({ body }: Answer) {
  return seen(errorFromJsonBytes(Buffer.from(body), undefined, new ConnectError("no JSON")));
}

async function serve(t: TestContext, options: Partial<ServerOptions> = {}) {
  const server = await startTestServer({ listTubes: () => ({}) }, options);
  t.after(() => server.close(0));
  return server;
}

describe("a listener on loopback is called by its own names", () => {
  for (const [way, ask] of Object.entries(ways)) {
    test(way, async (t) => {
      const server = await serve(t, { httpAllowedHosts: ["usher.internal"] });
      const port = server.httpAddress.split(":")[1];
      const own = ["localhost", "LOCALHOST.", "a.b.localhost", "127.0.0.1", "127.9.9.9", "[::1]"];
      for (const host of [...own, ...own.map((name) => `${name}:${port}`), "Usher.Internal:1"]) {
        assert.equal((await ask(server.httpAddress, { host, headers: json })).status, 200, host);
        const page = { host, method: "GET", path: "/readyz" };
        assert.equal((await ask(server.httpAddress, page)).status, 200, host);
      }
      const foreign = ["evil.example", "evil.example:80", "10.0.0.1", "[fd00::1]", "0.0.0.0"];
      const odd = ["localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example", "a!b"];
      for (const host of [...foreign, ...odd]) {
        for (const path of [LIST, "/readyz", "/nothing"]) {
          const answer = await ask(server.httpAddress, { host, path, headers: json });
          assert.equal(answer.status, 403, `${host} ${path}`);
          const { code, reason, message } = errorIn(answer);
          assert.deepEqual([code, reason], ["PermissionDenied", "HOST_NOT_ALLOWED"]);
          assert.ok(message.includes(`"${host}"`) && message.includes("http_allowed_hosts"));
        }
      }
    });
  }

  test("gRPC is told in its own form", async (t) => {
    const server = await serve(t);
    for (const type of ["application/grpc", "application/grpc-web+proto"]) {
      const headers = { "content-type": type };
      const answer = await overHttp2(server.httpAddress, { host: "evil.example", headers });
      assert.equal(answer.status, 200);
      const error = findTrailerError(answer.headers);
      assert.equal(seen(error ?? assert.fail()).reason, "HOST_NOT_ALLOWED", type);
    }
  });

  test("a probe by HTTP/1.0 has no host", async (t) => {
    const server = await serve(t);
    const [ip, port] = server.httpAddress.split(":");
    const socket = connectTcp(Number(port), ip);
    socket.write("GET /healthz HTTP/1.0\r\n\r\n");
    assert.match(await text(socket), /^HTTP\/1\.1 200 /);
  });
});

test("beyond loopback hosts are checked where some are allowed, and addresses always pass", () => {
  assert.equal(hostCheck("0.0.0.0", []), undefined);
  assert.equal(hostCheck("usher", []), undefined);
  const check = hostCheck("0.0.0.0", ["usher.internal", "fd00::1"]) ?? assert.fail();
  for (const host of ["usher.internal:8080", "10.0.0.7", "[fd00::2]:1", "localhost"]) check(host);
  for (const host of ["", "usher", "evil.example", "[usher.internal]", "usher.internal/"]) {
    assert.throws(() => check(host), /http_allowed_hosts/, host);
  }
  const onLoopback = hostCheck("::1", ["10.0.0.7"]) ?? assert.fail();
  onLoopback("10.0.0.7:8080");
  assert.throws(() => onLoopback("10.0.0.8"));
});

describe("pages of other origins may call where they are allowed", () => {
  const preflight = {
    method: "OPTIONS",
    headers: {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "connect-protocol-version,content-type",
    },
  };
  const corsOf = ({ headers }: Answer) =>
    [...headers.keys()].filter((name) => name.startsWith("access-control-"));

  for (const [way, ask] of Object.entries(ways)) {
    test(`${way}: a foreign one is refused, preflight and call`, async (t) => {
      const server = await serve(t, { httpAllowedOrigins: ["https://app.example"] });
      const host = server.httpAddress;
      const foreign = ["https://evil.example", "http://app.example", "https://app.example:8443"];
      const near = ["null", `https://${host}`, "http://localhost:1", "https://app.example.evil"];
      for (const origin of [...foreign, ...near]) {
        const headers = { ...json, origin };
        for (const request of [
          { host, headers },
          { host, headers, method: "GET", path: "/readyz" },
          { ...preflight, host, headers: { ...preflight.headers, origin } },
        ]) {
          const answer = await ask(server.httpAddress, request);
          assert.equal(answer.status, 403, origin);
          const { code, reason, message } = errorIn(answer);
          assert.deepEqual([code, reason], ["PermissionDenied", "ORIGIN_NOT_ALLOWED"]);
          assert.ok(message.includes(`"${origin}"`) && message.includes("http_allowed_origins"));
          assert.deepEqual(corsOf(answer), []);
          assert.equal(answer.headers.get("vary"), "Origin");
        }
      }
    });

    test(`${way}: an allowed one is told so, also with errors`, async (t) => {
      const server = await serve(t, { httpAllowedOrigins: ["https://app.example"] });
      const host = server.httpAddress;
      const asked = await ask(host, { ...preflight, host });
      assert.equal(asked.status, 204);
      assert.equal(asked.body, "");
      assert.equal(asked.headers.get("access-control-allow-origin"), "https://app.example");
      assert.equal(asked.headers.get("access-control-allow-methods"), "POST, GET");
      const allowed = asked.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
      for (const name of ["content-type", "connect-protocol-version", "x-grpc-web"]) {
        assert.ok(allowed.split(", ").includes(name), name);
      }
      assert.equal(asked.headers.get("access-control-max-age"), "7200");
      assert.equal(asked.headers.get("vary"), "Origin");
      assert.equal(asked.headers.get("access-control-allow-credentials"), null);

      const { origin } = preflight.headers;
      const call = (path: string, type: string, method = "POST") =>
        ask(host, { host, path, method, headers: { origin, "content-type": type } });
      const broken = `${LIST.replace("ListTubes", "CreateTube")}`;
      for (const [expected, answer] of [
        [200, await call(LIST, "application/json")],
        [501, await call(broken, "application/json")],
        [415, await call(LIST, "text/csv")],
        [404, await call("/nothing", "application/json")],
        [200, await call("/readyz", "application/json", "GET")],
      ] as const) {
        assert.equal(answer.status, expected);
        assert.equal(answer.headers.get("access-control-allow-origin"), origin);
        const exposed = answer.headers.get("access-control-expose-headers") ?? "";
        assert.match(exposed, /grpc-status.*x-request-id/i);
        assert.equal(answer.headers.get("vary"), "Origin");
      }
    });

    test(`${way}: the listener's own needs no setting, and has no CORS`, async (t) => {
      const server = await serve(t);
      for (const [host, origin] of [
        [server.httpAddress, `http://${server.httpAddress}`],
        ["localhost", "http://localhost"],
        ["localhost:80", "http://localhost"],
      ] as const) {
        const headers = { ...json, origin };
        const answer = await ask(server.httpAddress, { host, headers });
        assert.equal(answer.status, 200, origin);
        assert.deepEqual(corsOf(answer), []);
        assert.equal(answer.headers.get("vary"), null);
      }
    });

    test(`${way}: * is every origin`, async (t) => {
      const server = await serve(t, { httpAllowedOrigins: ["*"] });
      const host = server.httpAddress;
      for (const origin of ["https://any.example", "null"]) {
        const answer = await ask(host, { host, headers: { ...json, origin } });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("access-control-allow-origin"), "*");
      }
      assert.equal((await ask(host, { ...preflight, host })).status, 204);
    });
  }

  test("a refused call is not carried out, and its body is not waited for", async (t) => {
    let calls = 0;
    const server = await startTestServer({
      listTubes() {
        calls += 1;
        return {};
      },
    });
    t.after(() => server.close(0));
    const [ip, port] = server.httpAddress.split(":");
    const socket = connectTcp(Number(port), ip).setEncoding("latin1");
    const lines = ["content-type: application/json", "content-length: 1000000"];
    const head = [`POST ${LIST} HTTP/1.1`, "host: localhost", "origin: http://a.b", ...lines];
    socket.write(`${head.join("\r\n")}\r\n\r\n{`);
    const [first] = (await once(socket, "data")) as [string];
    assert.match(first, /^HTTP\/1\.1 403 /);
    socket.destroy();
    const bytes = toBinary(ListTubesRequestSchema, create(ListTubesRequestSchema));
    const refused = await fetch(`http://${server.httpAddress}${LIST}`, {
      method: "POST",
      headers: { "content-type": "application/proto", origin: "http://a.b" },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    assert.equal(refused.status, 403);
    assert.equal(calls, 0);
  });
});
