import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { PutRequestSchema, PutResponseSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { UsherError } from "../../src/base/errors.ts";
import { callPeer } from "../../src/cluster/peer-call.ts";
import { toConnectError } from "../../src/server/error-status.ts";
import { toGrpcStatus } from "../../src/server/grpc/metadata.ts";

type Answer = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void;

interface Given {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A server that answers every call likewise, and a way to call it. */
async function start(t: TestContext, answer: Answer) {
  const server = createServer();
  const received: Buffer[] = [];
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => received.push(chunk));
    stream.on("end", () => answer(stream, headers));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sessions = new Http2SessionManager(`http://127.0.0.1:${port}`);
  t.after(() => {
    sessions.abort();
    server.close();
  });
  const call = ({ timeoutMs, signal }: Given = {}) =>
    callPeer(
      sessions,
      QueueService.method.put,
      { tube: "mail" },
      { headers: { "usher-forwarded": "1" }, timeoutMs, signal },
    );
  return { call, received };
}

/** Expects a call to fail. */
async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => assert.fail("an error was expected"),
    (error: unknown) => {
      assert.ok(error instanceof ConnectError, String(error));
      return error;
    },
  );
}

const head = { ":status": 200, "content-type": "application/grpc+proto" };

function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Answers with bytes, in as many pieces, and a status. */
function answers(bytes: Buffer, trailers: Record<string, string>, piece = bytes.length): Answer {
  return (stream) => {
    stream.respond(head, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    for (let at = 0; at < bytes.length; at += piece) stream.write(bytes.subarray(at, at + piece));
    stream.end();
  };
}

describe("A call of another instance", () => {
  test("sends its headers, deadline and message, and reads the answer in any pieces", async (t) => {
    const message = create(PutResponseSchema, { task: { id: 7n } });
    const answer = answers(frame(toBinary(PutResponseSchema, message)), { "grpc-status": "0" }, 1);
    let headers: Readonly<Record<string, unknown>> = {};
    const { call, received } = await start(t, (stream, its) => {
      headers = its;
      answer(stream, its);
    });
    assert.equal((await call({ timeoutMs: 1_234.5 })).task?.id, 7n);
    assert.equal(headers["usher-forwarded"], "1");
    assert.equal(headers["grpc-timeout"], "1235m");
    assert.equal(headers[":path"], "/usher.queue.v1.QueueService/Put");
    const request = create(PutRequestSchema, { tube: "mail" });
    assert.deepEqual(Buffer.concat(received), frame(toBinary(PutRequestSchema, request)));
  });

  test("rejects with the other's error and its details", async (t) => {
    const { code, details, metadata } = toGrpcStatus(
      toConnectError(new UsherError("TUBE_NOT_FOUND", { message: "no such tube: märz" })),
    );
    const { call } = await start(t, (stream) => {
      const texts = { "grpc-status": `${code}`, "grpc-message": encodeURIComponent(details) };
      stream.respond({ ...head, ...metadata?.toHttp2Headers(), ...texts }, { endStream: true });
    });
    const error = await failure(call());
    assert.equal(error.rawMessage, "no such tube: märz");
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "TUBE_NOT_FOUND");
  });

  test("takes what has no status, or no message, for broken off", async (t) => {
    const whole = frame(toBinary(PutResponseSchema, create(PutResponseSchema)));
    const broken: Answer[] = [
      (stream) => stream.close(2),
      (stream) => stream.session?.destroy(),
      (stream) => stream.respond({ ":status": 502 }, { endStream: true }),
      (stream) => {
        stream.respond(head);
        stream.end(whole);
      },
      answers(Buffer.from([0, 0, 0, 0, 9, 1]), { "grpc-status": "0" }),
      answers(Buffer.alloc(0), { "grpc-status": "0" }),
      answers(Buffer.concat([whole, whole]), { "grpc-status": "0" }),
    ];
    for (const [nth, answer] of broken.entries()) {
      const { call } = await start(t, answer);
      const { code, metadata } = await failure(call());
      assert.ok(code === Code.Unavailable || code === Code.Internal, `${nth}: ${Code[code]}`);
      assert.equal(metadata.has("x-request-id"), false);
    }
  });

  test("ends at its deadline, and the other is told", async (t) => {
    const ended = Promise.withResolvers<number>();
    const { call } = await start(t, (stream) => {
      stream.on("close", () => ended.resolve(stream.rstCode));
    });
    assert.equal((await failure(call({ timeoutMs: 50 }))).code, Code.DeadlineExceeded);
    assert.equal(await ended.promise, 8);
  });

  test("ends when its caller leaves, and the other is told", async (t) => {
    const asked = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number>();
    const { call } = await start(t, (stream) => {
      stream.on("close", () => ended.resolve(stream.rstCode));
      asked.resolve();
    });
    const left = new AbortController();
    const reason = new Error("left");
    const answer = assert.rejects(call({ signal: left.signal }), (error) => error === reason);
    await asked.promise;
    left.abort(reason);
    await answer;
    assert.equal(await ended.promise, 8);
    await assert.rejects(call({ signal: left.signal }), (error) => error === reason);
  });
});
