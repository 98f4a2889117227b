import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  create,
  createFileRegistry,
  type DescMethodClientStreaming,
  type DescService,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import {
  ConnectError,
  type HandlerContext,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { UsherError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/logging/log.ts";
import { startGrpcListener } from "../../src/server/grpc/listener.ts";
import { guard } from "../../src/server/guard.ts";
import { startHttpListener } from "../../src/server/http/listener.ts";
import { served } from "../../src/server/served-service.ts";
import { Shutdown } from "../../src/server/shutdown.ts";
import { type SeenError, seen } from "./harness.ts";

// The contract has no client stream yet, so this makes one: Sums.Add, of numbers to a number.
const sums = makeSums();
const add = clientStream(sums);
const { input } = add;

function clientStream({ methods: [method] }: DescService): DescMethodClientStreaming {
  assert.ok(method?.methodKind === "client_streaming");
  return method as DescMethodClientStreaming;
}

function makeSums(): DescService {
  const label = FieldDescriptorProto_Label.OPTIONAL;
  const value = { name: "value", number: 1, type: FieldDescriptorProto_Type.INT32, label };
  const note = { name: "note", number: 2, type: FieldDescriptorProto_Type.STRING, label };
  const method = {
    name: "Add",
    inputType: ".test.Number",
    outputType: ".test.Number",
    clientStreaming: true,
  };
  const file = {
    name: "sums.proto",
    package: "test",
    syntax: "proto3",
    messageType: [{ name: "Number", field: [value, note] }],
    service: [{ name: "Sums", method: [method] }],
  };
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const service = registry.getService("test.Sums");
  assert.ok(service !== undefined);
  return service;
}

function numberOf(message: object): number {
  return "value" in message ? Number(message.value) : 0;
}

/** Adds what it is sent up to the half-close. 13 is refused, 99 needs no more numbers. */
async function sum(requests: AsyncIterable<object>, context: HandlerContext) {
  let value = 0;
  for await (const request of requests) {
    const number = numberOf(request);
    if (number === 13) throw new UsherError("TUBE_FULL");
    value += number;
    if (number === 99) break;
  }
  context.responseTrailer.set("x-sum", String(value));
  return { value };
}

interface Rig extends AsyncDisposable {
  readonly transport: Transport;
}

type Connect = (baseUrl: string, sessionManager: Http2SessionManager) => Transport;

async function rig(port: "grpc" | "http", connect: Connect): Promise<Rig> {
  const shutdown = new Shutdown();
  const implementation = { add: sum } as unknown as Partial<ServiceImpl<DescService>>;
  const maxRequestBytes = 1000;
  const options = { log: silentLog, shutdown, maxRequestBytes };
  const shared = {
    listen: { host: "127.0.0.1", port: 0 },
    services: [served(sums, guard(sums, implementation, options))],
    log: silentLog,
    maxRequestBytes,
    abortSignal: shutdown.abortSignal,
  };
  const listener = await (port === "grpc"
    ? startGrpcListener(shared)
    : startHttpListener({ ...shared, pages: new Map() }));
  const baseUrl = `http://${listener.address}`;
  const session = new Http2SessionManager(baseUrl);
  return {
    transport: connect(baseUrl, session),
    async [Symbol.asyncDispose]() {
      session.abort();
      await listener.close();
    },
  };
}

const rigs: Readonly<Record<string, () => Promise<Rig>>> = {
  "gRPC on the gRPC port": () =>
    rig("grpc", (baseUrl, sessionManager) => createGrpcTransport({ baseUrl, sessionManager })),
  "gRPC on the HTTP port": () =>
    rig("http", (baseUrl, sessionManager) => createGrpcTransport({ baseUrl, sessionManager })),
  "gRPC-Web": () =>
    rig("http", (baseUrl, sessionManager) =>
      createGrpcWebTransport({ baseUrl, sessionManager, httpVersion: "2" }),
    ),
  Connect: () =>
    rig("http", (baseUrl, sessionManager) =>
      createConnectTransport({ baseUrl, sessionManager, httpVersion: "2" }),
    ),
};

async function call(
  { transport }: Rig,
  numbers: AsyncIterable<number>,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<{ sum: number; trailer: string | null }> {
  async function* messages() {
    for await (const value of numbers) yield create(input, { value });
  }
  const { signal, timeoutMs } = options;
  const answer = await transport.stream(add, signal, timeoutMs, {}, messages());
  let total = Number.NaN;
  for await (const message of answer.message) total = numberOf(message);
  return { sum: total, trailer: answer.trailer.get("x-sum") };
}

async function* list(...numbers: number[]): AsyncGenerator<number> {
  yield* numbers;
}

async function* endless(): AsyncGenerator<number> {
  yield 1;
  await new Promise(() => {});
}

async function errorOf(answer: Promise<unknown>): Promise<SeenError> {
  const error = await answer.then(() => assert.fail("the call did not fail"), ConnectError.from);
  return seen(error);
}

describe("a stream of requests with one answer", () => {
  for (const [name, open] of Object.entries(rigs)) {
    test(`${name}: is answered after the half-close, with trailers`, async () => {
      await using rig = await open();
      assert.deepEqual(await call(rig, list(1, 2, 3)), { sum: 6, trailer: "6" });
      assert.deepEqual(await call(rig, list()), { sum: 0, trailer: "0" });
      const many = Array.from({ length: 500 }, (_, i) => i + 100);
      const total = many.reduce((a, b) => a + b);
      assert.equal((await call(rig, list(...many))).sum, total);
    });

    test(`${name}: may be answered before it ends`, async () => {
      await using rig = await open();
      async function* numbers() {
        yield 99;
        await new Promise(() => {});
      }
      assert.equal((await call(rig, numbers())).sum, 99);
    });

    test(`${name}: fails in the middle with the handler's error`, async () => {
      await using rig = await open();
      const error = await errorOf(call(rig, list(1, 13, 2)));
      assert.deepEqual([error.code, error.reason], ["ResourceExhausted", "TUBE_FULL"]);
    });

    test(`${name}: ends at its deadline while it waits for requests`, async () => {
      await using rig = await open();
      const error = await errorOf(call(rig, endless(), { timeoutMs: 100 }));
      assert.equal(error.code, "DeadlineExceeded");
    });

    test(`${name}: too large a request is named as such`, async () => {
      await using rig = await open();
      async function* requests() {
        yield create(input, { value: 1 });
        yield create(input, { note: "x".repeat(2000) });
      }
      const failing = async () => {
        const { message } = await rig.transport.stream(add, undefined, undefined, {}, requests());
        for await (const _ of message);
      };
      const error = await errorOf(failing());
      assert.deepEqual([error.code, error.reason], ["InvalidArgument", "PAYLOAD_TOO_LARGE"]);
    });
  }
});
