import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { ProduceRequestSchema, WorkRequestSchema } from "../../../gen/usher/queue/v1/stream_pb.ts";
import {
  BatchAckRequestSchema,
  BatchPutRequestSchema,
  PutRequestSchema,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import { queueDecoders } from "../../../src/queue/handlers/request-codec.ts";

const schemas = {
  put: PutRequestSchema,
  batchPut: BatchPutRequestSchema,
  produce: ProduceRequestSchema,
  batchAck: BatchAckRequestSchema,
  work: WorkRequestSchema,
} as const;
type Method = keyof typeof schemas;

const anyText = fc.oneof(
  fc.constant(""),
  fc.string({ unit: "binary-ascii", maxLength: 100 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  // A byte order mark is a character like others.
  fc.constant("\ufeffmark"),
);
const anyDuration = fc.option(fc.nat(8.64e12).map(durationFromMs), { nil: undefined });
const anyTask = fc.record({
  payload: fc.option(
    fc.record({
      content: fc.oneof(
        fc.record({
          case: fc.constant("data" as const),
          value: fc.uint8Array({ maxLength: 300 }),
        }),
        fc.record({ case: fc.constant("text" as const), value: anyText }),
        fc.constant({ case: undefined }),
      ),
    }),
    { nil: undefined },
  ),
  priority: fc.option(fc.oneof(fc.nat(300), fc.nat(0xffff_ffff)), { nil: undefined }),
  delay: anyDuration,
  ttl: anyDuration,
  ttr: anyDuration,
  group: anyText,
  dedupKey: anyText,
});
const anyBatch = { tube: anyText, tasks: fc.array(anyTask, { maxLength: 4 }), wait: anyDuration };
const anySequence = fc.bigInt({ min: 0n, max: 2n ** 49n - 1n });

const plain = {
  put: fc.record({ tube: anyText, task: anyTask, wait: anyDuration }),
  batchPut: fc.record(anyBatch),
  produce: fc.record({ sequence: anySequence, ...anyBatch }),
  batchAck: fc.record({ leases: fc.array(anyText, { maxLength: 5 }) }),
  work: fc.record({
    message: fc.record({
      case: fc.constant("settle" as const),
      value: fc.record({
        sequence: anySequence,
        acks: fc.array(anyText, { maxLength: 5 }),
        begun: fc.array(anyText, { maxLength: 5 }),
      }),
    }),
  }),
} satisfies Record<Method, fc.Arbitrary<unknown>>;

/** As they come from a socket: somewhere in a larger piece of memory. */
function received(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 1, 2]), bytes, Buffer.from([3])]).subarray(3, -1);
}

for (const [method, schema] of Object.entries(schemas) as [Method, DescMessage][]) {
  test(`a plain request of ${method} becomes what protobuf-es makes of it`, () => {
    fc.assert(
      fc.property(plain[method] as fc.Arbitrary<MessageInitShape<DescMessage>>, (init) => {
        const bytes = toBinary(schema, create(schema, init));
        const decoded = queueDecoders[method](received(bytes));
        assert.deepEqual(decoded, fromBinary(schema, new Uint8Array(bytes)));
        // And goes on over the wire as it came.
        assert.deepEqual(toBinary(schema, decoded as never), bytes);
      }),
      { numRuns: 500 },
    );
  });

  test(`any bytes as a request of ${method} are left to protobuf-es, or become the same`, () => {
    const spoiled = fc
      .tuple(
        plain[method] as fc.Arbitrary<MessageInitShape<DescMessage>>,
        fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "cut")), {
          minLength: 1,
          maxLength: 3,
        }),
      )
      .map(([init, changes]) => {
        let bytes = Buffer.from(toBinary(schema, create(schema, init)));
        for (const [place, byte, change] of changes) {
          const at = place % (bytes.length + 1);
          const rest = bytes.subarray(change === "set" ? at + 1 : at);
          const added = change === "cut" ? [] : [byte];
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(added), rest]);
          if (change === "cut") bytes = bytes.subarray(0, at);
        }
        return bytes;
      });
    fc.assert(
      fc.property(spoiled, (bytes) => {
        const decoded = queueDecoders[method](received(bytes));
        if (decoded === undefined) return;
        assert.deepEqual(decoded, fromBinary(schema, new Uint8Array(bytes)));
      }),
      { numRuns: 2_000 },
    );
  });
}

test("what is not plain is left to protobuf-es", () => {
  const task = { payload: { content: { case: "text" as const, value: "x" } } };
  const twice = toBinary(PutRequestSchema, create(PutRequestSchema, { task }));
  const cases: [Method, Uint8Array][] = [
    ["put", bytesOf({ task: { ...task, attributes: { a: "b" } } })],
    ["put", bytesOf({ task: { payload: { content: { case: "json", value: {} } } } })],
    ["put", bytesOf({ task: { ...task, delay: { seconds: -1n, nanos: 0 } } })],
    // One message in two parts is the two merged.
    ["put", Buffer.concat([twice, twice])],
    ["work", toBinary(WorkRequestSchema, workRequest({ case: "prefetch", value: 1 }))],
  ];
  for (const [method, bytes] of cases) {
    assert.equal(queueDecoders[method](received(bytes)), undefined);
  }
});

function bytesOf(init: MessageInitShape<typeof PutRequestSchema>): Uint8Array {
  return toBinary(PutRequestSchema, create(PutRequestSchema, init));
}

function workRequest(message: MessageInitShape<typeof WorkRequestSchema>["message"]) {
  return create(WorkRequestSchema, message === undefined ? {} : { message });
}
