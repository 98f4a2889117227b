import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { deflateSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { endStreamFromJson, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { SettleSchema, WorkRequestSchema } from "../../gen/usher/queue/v1/stream_pb.ts";
import { PutRequestSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import {
  aborted,
  MAX_REQUEST_BYTES,
  overGrpc,
  type SeenError,
  seen,
  startTestServer,
  type TestServer,
} from "./harness.ts";

const SERVICE = "/usher.queue.v1.QueueService";
const WHOLE = "(message)";

let server: TestServer;
before(async () => {
  server = await startTestServer({
    put: ({ tube }) => ({ task: { tube } }),
    batchPut: () => ({}),
    async createTube(_, { timeoutMs }) {
      await pause(20);
      const left = timeoutMs();
      assert.ok(left === undefined || left > 0);
      return {};
    },
    updateTube: () => ({}),
    async *watch() {
      yield { message: { case: "missed", value: 1n } };
    },
    // Waits for what does not come.
    async *produce(_, { signal }) {
      yield {};
      await aborted(signal);
      signal.throwIfAborted();
    },
    async *work(requests) {
      for await (const { message } of requests) {
        if (message.case !== "settle") continue;
        yield { message: { case: "settled", value: { sequence: message.value.sequence } } };
      }
    },
  });
});
after(() => server.close(0));

async function stillServes(): Promise<void> {
  await using caller = overGrpc(server);
  assert.equal((await caller.client.put({ tube: "alive" })).task?.tube, "alive");
  const answer = await fetch(`http://${server.httpAddress}${SERVICE}/Put`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"tube":"alive"}',
  });
  assert.deepEqual(await answer.json(), { task: { tube: "alive" } });
  const unexpected = server.logged.filter(({ level }) => level === "error");
  assert.deepEqual(unexpected, []);
}

function envelope(bytes: Uint8Array, flags = 0, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly trailers: Headers;
  readonly body: Buffer;
}

/** One request over HTTP/2, whatever it says. */
async function request(
  address: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Answer> {
  const session = connectHttp2(`http://${address}`);
  try {
    const call = session.request({ ":method": "POST", te: "trailers", ...headers });
    const answer = { headers: new Headers(), trailers: new Headers(), status: 0 };
    const copy = (from: object, to: Headers) => {
      for (const [name, value] of Object.entries(from)) {
        if (!name.startsWith(":")) to.set(name, String(value));
      }
    };
    call.on("response", (received) => {
      answer.status = Number(received[":status"]);
      copy(received, answer.headers);
    });
    call.on("trailers", (received) => copy(received, answer.trailers));
    const chunks: Buffer[] = [];
    call.on("data", (chunk: Buffer) => chunks.push(chunk));
    call.end(body);
    await once(call, "end");
    return { ...answer, body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}

interface Envelope {
  readonly flags: number;
  readonly data: Buffer;
}

function envelopes(body: Buffer): Envelope[] {
  const all: Envelope[] = [];
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    all.push({ flags: body.readUInt8(at), data: body.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return all;
}

/** How a protocol with envelopes is asked, and where it says what went wrong. */
interface Protocol {
  readonly address: () => string;
  readonly contentType: string;
  readonly encodingHeader: string;
  readonly timeoutHeader: string;
  readonly errorOf: (answer: Answer) => ConnectError | undefined;
}

const grpcError = ({ headers, trailers }: Answer) =>
  findTrailerError(trailers) ?? findTrailerError(headers);

const protocols: Readonly<Record<string, Protocol>> = {
  "gRPC on the gRPC port": {
    address: () => server.grpcAddress,
    contentType: "application/grpc",
    encodingHeader: "grpc-encoding",
    timeoutHeader: "grpc-timeout",
    errorOf: grpcError,
  },
  "gRPC on the HTTP port": {
    address: () => server.httpAddress,
    contentType: "application/grpc",
    encodingHeader: "grpc-encoding",
    timeoutHeader: "grpc-timeout",
    errorOf: grpcError,
  },
  "gRPC-Web": {
    address: () => server.httpAddress,
    contentType: "application/grpc-web",
    encodingHeader: "grpc-encoding",
    timeoutHeader: "grpc-timeout",
    errorOf: ({ body }) => {
      const last = envelopes(body).find(({ flags }) => flags & 0x80);
      return last === undefined ? undefined : findTrailerError(trailerParse(last.data));
    },
  },
  "Connect stream": {
    address: () => server.httpAddress,
    contentType: "application/connect+proto",
    encodingHeader: "connect-content-encoding",
    timeoutHeader: "connect-timeout-ms",
    errorOf: ({ body }) => {
      const last = envelopes(body).find(({ flags }) => flags & 0x02);
      return last === undefined ? undefined : endStreamFromJson(last.data).error;
    },
  },
};

interface Malformed {
  readonly body: Buffer;
  readonly headers?: (protocol: Protocol) => Record<string, string>;
  readonly reason: string | undefined;
  readonly code?: string;
  readonly field?: string | ((protocol: Protocol) => string);
}

const encoded = (name: string) => (protocol: Protocol) => ({ [protocol.encodingHeader]: name });
const large = Buffer.from(
  toBinary(PutRequestSchema, create(PutRequestSchema, { tube: "x".repeat(MAX_REQUEST_BYTES) })),
);

const malformed: Readonly<Record<string, Malformed>> = {
  "bytes that are no message": { body: envelope(Buffer.from([0xff])), reason: "INVALID_PARAMS" },
  "a field that ends too early": {
    body: envelope(Buffer.from([0x0a, 5, 1])),
    reason: "INVALID_PARAMS",
  },
  "text that is not UTF-8": {
    body: envelope(Buffer.from([0x0a, 2, 0xc3, 0x28])),
    reason: "INVALID_PARAMS",
  },
  "an illegal tag": { body: envelope(Buffer.from([0])), reason: "INVALID_PARAMS" },
  "messages nested 10,000 deep": { body: envelope(nested(10_000)), reason: "INVALID_PARAMS" },
  "an envelope cut short": {
    body: envelope(Buffer.from("abc"), 0, 100),
    reason: "INVALID_PARAMS",
  },
  "half the head of an envelope": { body: Buffer.from([0, 0]), reason: "INVALID_PARAMS" },
  "no message": { body: Buffer.alloc(0), reason: "INVALID_PARAMS" },
  "two messages": {
    body: Buffer.concat([envelope(Buffer.alloc(0)), envelope(Buffer.alloc(0))]),
    reason: "INVALID_PARAMS",
  },
  "an envelope said to be of 4 GiB": {
    body: envelope(Buffer.from("abc"), 0, 0xffffffff),
    reason: "PAYLOAD_TOO_LARGE",
  },
  "a message above the limit": { body: envelope(large), reason: "PAYLOAD_TOO_LARGE" },
  "bytes that are not gzip": {
    body: envelope(Buffer.from("not gzip at all"), 1),
    headers: encoded("gzip"),
    reason: "INVALID_PARAMS",
  },
  "gzip cut short": {
    body: envelope(gzipSync(large.subarray(0, 5000)).subarray(0, 20), 1),
    headers: encoded("gzip"),
    reason: "INVALID_PARAMS",
  },
  "gzip that unpacks to more than the limit": {
    body: envelope(gzipSync(large), 1),
    headers: encoded("gzip"),
    reason: "PAYLOAD_TOO_LARGE",
  },
  "an unknown compression": {
    body: envelope(deflateSync(Buffer.alloc(0)), 1),
    headers: encoded("zstd"),
    reason: undefined,
    code: "Unimplemented",
  },
  "a time-out that is none": {
    body: envelope(Buffer.alloc(0)),
    headers: ({ timeoutHeader }) => ({ [timeoutHeader]: "soon" }),
    reason: "INVALID_PARAMS",
    field: ({ timeoutHeader }) => timeoutHeader,
  },
};

function nested(depth: number): Buffer {
  // PutRequest.task.payload.json, then a list in a list in a list.
  let bytes = Buffer.alloc(0);
  const wrap = (tag: number) => {
    let length = bytes.length;
    const head = [tag];
    for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
    bytes = Buffer.concat([Buffer.from([...head, length]), bytes]);
  };
  for (let i = 0; i < depth; i++) wrap(i % 2 === 0 ? 0x0a : 0x32);
  wrap(0x1a);
  wrap(0x0a);
  wrap(0x12);
  return bytes;
}

describe("a malformed message is the caller's fault, and said so", () => {
  for (const [name, protocol] of Object.entries(protocols)) {
    for (const [what, { body, headers, reason, code, field = WHOLE }] of Object.entries(
      malformed,
    )) {
      // In the Connect protocol envelopes are for streams.
      const rpc = name === "Connect stream" ? "Watch" : "Put";
      test(`${name}: ${what}`, async () => {
        const answer = await request(
          protocol.address(),
          {
            ":path": `${SERVICE}/${rpc}`,
            "content-type": protocol.contentType,
            ...headers?.(protocol),
          },
          body,
        );
        const error = protocol.errorOf(answer);
        assert.ok(error !== undefined, "the call did not fail");
        check(seen(error), {
          code: code ?? "InvalidArgument",
          reason,
          field: reason && (typeof field === "string" ? field : field(protocol)),
        });
        await stillServes();
      });
    }

    test(`${name}: garbage in the middle of a stream, after a good answer`, async () => {
      const settle = create(SettleSchema, { sequence: 5n });
      const message = create(WorkRequestSchema, { message: { case: "settle", value: settle } });
      const good = envelope(toBinary(WorkRequestSchema, message));
      const answer = await request(
        protocol.address(),
        { ":path": `${SERVICE}/Work`, "content-type": protocol.contentType },
        Buffer.concat([good, envelope(Buffer.from([0xff])), good]),
      );
      assert.equal(envelopes(answer.body).filter(({ flags }) => flags === 0).length, 1);
      const error = protocol.errorOf(answer);
      assert.ok(error !== undefined, "the call did not fail");
      check(seen(error), { code: "InvalidArgument", reason: "INVALID_PARAMS", field: WHOLE });
      await stillServes();
    });

    test(`${name}: too large a message in the middle of a stream`, async () => {
      const answer = await request(
        protocol.address(),
        { ":path": `${SERVICE}/Work`, "content-type": protocol.contentType },
        Buffer.concat([envelope(Buffer.alloc(0)), envelope(large)]),
      );
      const error = protocol.errorOf(answer);
      assert.ok(error !== undefined, "the call did not fail");
      check(seen(error), { code: "InvalidArgument", reason: "PAYLOAD_TOO_LARGE", field: WHOLE });
      await stillServes();
    });

    test(`${name}: another content type, an unknown RPC, a path of odd bytes`, async () => {
      const ask = (path: string, contentType: string) =>
        request(
          protocol.address(),
          { ":path": path, "content-type": contentType },
          envelope(Buffer.alloc(0)),
        );
      assert.equal((await ask(`${SERVICE}/Put`, "text/plain")).status, 415);
      for (const path of [`${SERVICE}/Nothing`, "/a/b/c", "/%ff%00", "/\u00e9\u0080"]) {
        const { status, headers } = await ask(path, protocol.contentType);
        assert.ok(status === 404 || headers.get("grpc-status") === "12", path);
      }
      // What can be no path at all is refused by HTTP/2 itself.
      await assert.rejects(ask("*", protocol.contentType), /PROTOCOL_ERROR/);
      await stillServes();
    });
  }
});

function check(
  { code, reason, violations, message }: SeenError,
  expected: { code: string; reason: string | undefined; field: string | undefined },
): void {
  const field = violations[0]?.field;
  assert.deepEqual({ code, reason, field }, expected, message);
  if (reason === "PAYLOAD_TOO_LARGE") {
    assert.match(message, new RegExp(`queue\\.max_request_size, ${MAX_REQUEST_BYTES} bytes`));
  }
}

/** JSON requests that are wrong, and the field that is to be named. */
const json: readonly (readonly [rpc: string, body: string, field: string])[] = [
  ["Put", "", WHOLE],
  ["Put", "{", WHOLE],
  ["Put", "[]", WHOLE],
  ["Put", "null", WHOLE],
  ["Put", '{"tube":"a"} {}', WHOLE],
  ["Put", '{"tubee":"a"}', "tubee"],
  ["Put", '{"tube":5}', "tube"],
  ["Put", '{"tube":"a","tube":"b"}', "tube"],
  ["Put", '{"tube":"\\ud800"}', "tube"],
  ["Put", '{"wait":"5x"}', "wait"],
  ["Put", '{"wait":5}', "wait"],
  ["Put", '{"task":{"priority":-1}}', "task.priority"],
  ["Put", '{"task":{"priority":1.5}}', "task.priority"],
  ["Put", '{"task":{"delay":"soon"}}', "task.delay"],
  ["Put", '{"task":{"payload":{"data":"!!"}}}', "task.payload.data"],
  ["Put", '{"task":{"payload":{"data":"","text":""}}}', "task.payload"],
  ["Put", '{"task":{"payload":{"txt":""}}}', "task.payload.txt"],
  ["Put", '{"task":{"attributes":{"a":"b","c":1}}}', 'task.attributes["c"]'],
  [
    "Put",
    `{"task":{"payload":{"json":${"[".repeat(200)}${"]".repeat(200)}}}}`,
    "task.payload.json",
  ],
  ["Put", "[".repeat(100_000), WHOLE],
  ["BatchPut", '{"tasks":{}}', "tasks"],
  ["BatchPut", '{"tasks":[{},null]}', "tasks[1]"],
  ["BatchPut", '{"tasks":[{},{"ttl":"1s"},{"ttl":1}]}', "tasks[2].ttl"],
  ["BatchPut", '{"tasks":[{},{"payload":{"text":7}}]}', "tasks[1].payload.text"],
  ["CreateTube", '{"tube":{"kind":"TUBE_KIND_LIFO"}}', "tube.kind"],
  ["CreateTube", '{"tube":{"default_ttl":"x"}}', "tube.default_ttl"],
  ["UpdateTube", '{"updateMask":"no_camel"}', "update_mask"],
  ["UpdateTube", '{"update_mask":7}', "update_mask"],
];

describe("malformed JSON is INVALID_PARAMS that names the field", () => {
  const post = (
    rpc: string,
    body: string | Uint8Array<ArrayBuffer> | ReadableStream,
    headers: Record<string, string> = {},
  ) =>
    fetch(`http://${server.httpAddress}${SERVICE}/${rpc}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      duplex: "half",
    });
  const messageIn = async (answer: Response) => {
    const json: unknown = await answer.json();
    assert.ok(typeof json === "object" && json !== null && "message" in json);
    return String(json.message);
  };
  const errorIn = async (answer: Response) => {
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return seen(errorFromJsonBytes(bytes, undefined, new ConnectError("no JSON")));
  };

  for (const [rpc, body, field] of json) {
    test(`${rpc} ${body.slice(0, 60)}`, async () => {
      const answer = await post(rpc, body);
      assert.equal(answer.status, 400);
      check(await errorIn(answer), { code: "InvalidArgument", reason: "INVALID_PARAMS", field });
    });
  }

  test("the error can be read without decoding its details", async () => {
    const answer: unknown = await (await post("Put", '{"task":{"delay":"soon"}}')).json();
    assert.partialDeepStrictEqual(answer, {
      code: "invalid_argument",
      details: [
        { type: "google.rpc.ErrorInfo", debug: { reason: "INVALID_PARAMS", domain: "usher" } },
        { type: "google.rpc.BadRequest", debug: { fieldViolations: [{ field: "task.delay" }] } },
      ],
    });
  });

  test("text that is not UTF-8", async () => {
    const answer = await post("Put", Buffer.from('{"tube":"\xc3\x28"}', "latin1"));
    check(await errorIn(answer), {
      code: "InvalidArgument",
      reason: "INVALID_PARAMS",
      field: WHOLE,
    });
  });

  test("a long unknown field is cut, not sent back whole", async () => {
    const answer = await post("Put", JSON.stringify({ ["x".repeat(500_000)]: 1 }));
    const error = await errorIn(answer);
    assert.equal(error.reason, "INVALID_PARAMS");
    assert.ok(error.message.length <= 500);
  });

  test("too large, with a length and without", async () => {
    const body = JSON.stringify({ tube: "x".repeat(2 * MAX_REQUEST_BYTES) });
    const expected = { code: "InvalidArgument", reason: "PAYLOAD_TOO_LARGE", field: WHOLE };
    check(await errorIn(await post("Put", body)), expected);
    check(await errorIn(await post("Put", new Blob([body]).stream())), expected);
    await stillServes();
  });

  test("compressed garbage, and compression that is unknown", async () => {
    const garbage = await errorIn(await post("Put", "nope", { "content-encoding": "gzip" }));
    check(garbage, { code: "InvalidArgument", reason: "INVALID_PARAMS", field: WHOLE });
    const bomb = gzipSync(JSON.stringify({ tube: "x".repeat(2 * MAX_REQUEST_BYTES) }));
    const large = await errorIn(await post("Put", bomb, { "content-encoding": "gzip" }));
    check(large, { code: "InvalidArgument", reason: "PAYLOAD_TOO_LARGE", field: WHOLE });
    const unknown = await errorIn(await post("Put", "{}", { "content-encoding": "zstd" }));
    assert.equal(unknown.code, "Unimplemented");
  });

  test("a wrong time-out; one too far away for a timer is none", async () => {
    const wrong = await errorIn(await post("Put", "{}", { "connect-timeout-ms": "soon" }));
    check(wrong, {
      code: "InvalidArgument",
      reason: "INVALID_PARAMS",
      field: "connect-timeout-ms",
    });
    assert.equal((await post("Put", "{}", { "connect-timeout-ms": "9999999999" })).status, 200);
  });

  test("in a stream of JSON messages too", async () => {
    for (const [rpc, body] of [
      ["Watch", envelope(Buffer.from('{"tubee":"a"}'))],
      [
        "Work",
        Buffer.concat([envelope(Buffer.from("{}")), envelope(Buffer.from('{"tubee":"a"}'))]),
      ],
    ] as const) {
      const answer = await request(
        server.httpAddress,
        { ":path": `${SERVICE}/${rpc}`, "content-type": "application/connect+json" },
        body,
      );
      const error = protocols["Connect stream"]?.errorOf(answer);
      assert.ok(error !== undefined);
      check(seen(error), { code: "InvalidArgument", reason: "INVALID_PARAMS", field: "tubee" });
    }
  });

  test("no content type, a form, GET: an answer that says what to send", async () => {
    for (const contentType of ["", "application/x-www-form-urlencoded"]) {
      const answer = await post("Put", "{}", { "content-type": contentType });
      assert.equal(answer.status, 415);
      assert.match(await messageIn(answer), /Content-Type: application\/json/);
    }
    const got = await fetch(`http://${server.httpAddress}${SERVICE}/Put`);
    assert.equal(got.status, 405);
    assert.equal(got.headers.get("allow"), "POST");
    const stream = await post("Work", new Uint8Array(5), {
      "content-type": "application/connect+json",
    });
    assert.equal(stream.status, 505);
    assert.match(await messageIn(stream), /HTTP\/2/);
  });
});

describe("a deadline of the caller's is kept by the server itself", () => {
  for (const [name, { address, contentType, timeoutHeader, errorOf }] of Object.entries(
    protocols,
  )) {
    test(name, async () => {
      // A caller that sets a deadline and goes on waiting.
      const timeout = timeoutHeader === "grpc-timeout" ? "50m" : "50";
      const headers = { "content-type": contentType, [timeoutHeader]: timeout };
      const answer = await request(
        address(),
        { ":path": `${SERVICE}/Produce`, ...headers },
        envelope(Buffer.alloc(0)),
      );
      assert.equal(seen(errorOf(answer) ?? assert.fail()).code, "DeadlineExceeded");
    });
  }
});

test("a deadline too far away for a timer is none, on the gRPC port too", async () => {
  // 30 and 60 days, and the longest that gRPC can say.
  for (const timeout of ["2592000S", "1440H", "99999999H"]) {
    const answer = await request(
      server.grpcAddress,
      {
        ":path": `${SERVICE}/CreateTube`,
        "content-type": "application/grpc",
        "grpc-timeout": timeout,
      },
      envelope(Buffer.alloc(0)),
    );
    assert.equal(answer.trailers.get("grpc-status"), "0", timeout);
  }
});

describe("HTTP that is not as it should be", () => {
  /** Sends bytes as they are and returns what comes back until the server closes. */
  const exchange = async (bytes: string): Promise<string> => {
    const [host, port] = server.httpAddress.split(":");
    const socket = connectTcp(Number(port), host);
    socket.end(bytes, "latin1");
    // A server that answers before it has read everything may cut the connection.
    return text(socket).catch(() => "");
  };
  const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
    "no HTTP at all": ["hello\r\n\r\n", /^HTTP\/1\.1 400 /],
    "bytes of TLS": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /^HTTP\/1\.1 400 /],
    "no Host": [`POST ${SERVICE}/Put HTTP/1.0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    "a Host that is none": [
      `POST ${SERVICE}/Put HTTP/1.1\r\nHost: %%%\r\nContent-Length: 0\r\n\r\n`,
      /^HTTP\/1\.1 403 .*HOST_NOT_ALLOWED/s,
    ],
    "a body that breaks off": [
      `POST ${SERVICE}/Put HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
      /^/,
    ],
    "a chunk that is none": [
      `POST ${SERVICE}/Put HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      /^/,
    ],
    "headers without end": [
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(100_000)}`,
      /^(HTTP\/1\.1 431 |$)/,
    ],
    "half a preface of HTTP/2": ["PRI * HT", /^$/],
    "a preface with one byte wrong": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", /^HTTP\/1\.1 /],
    "a preface, then garbage": [`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"?".repeat(500)}`, /^/],
  };
  for (const [what, [bytes, expected]] of Object.entries(cases)) {
    test(what, async () => {
      assert.match(await exchange(bytes), expected);
      await stillServes();
    });
  }

  test("a connection to the gRPC port that speaks HTTP/1.1 or nothing", async () => {
    const [host, port] = server.grpcAddress.split(":");
    for (const bytes of ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "\0".repeat(1000)]) {
      const socket = connectTcp(Number(port), host);
      socket.end(bytes, "latin1");
      await text(socket).catch(() => "");
    }
    await stillServes();
  });
});
