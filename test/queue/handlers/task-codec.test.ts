import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { WorkResponseSchema } from "../../../gen/usher/queue/v1/stream_pb.ts";
import { PutResponseSchema, TakeResponseSchema } from "../../../gen/usher/queue/v1/task_pb.ts";
import { taskMessage } from "../../../src/queue/handlers/task-answers.ts";
import { queueEncoders } from "../../../src/queue/handlers/task-codec.ts";
import type { TaskView } from "../../../src/queue/rules/task-view.ts";
import { state } from "../../../src/queue/structures/task-state.ts";

const anyText = fc.oneof(
  fc.constant(""),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary-ascii", maxLength: 200 }),
  fc.string({ unit: "binary", maxLength: 60 }),
);
const anyNumber = fc.oneof(fc.nat(300), fc.maxSafeNat());
const anyUint32 = fc.oneof(fc.nat(300), fc.nat(0xffff_ffff));
const anyTime = fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 8.64e15 }));
const anyPayload = fc.record({
  content: fc.oneof(
    fc.record({
      format: fc.constant("data" as const),
      value: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.record({ format: fc.constant("text" as const), value: anyText }),
    fc.record({ format: fc.constant("json" as const), value: fc.json() }),
  ),
  attributes: fc.option(fc.dictionary(anyText, anyText, { minKeys: 1, maxKeys: 3 }), {
    nil: undefined,
  }),
});
const anyView: fc.Arbitrary<TaskView> = fc.record({
  tube: anyText,
  id: anyNumber,
  state: fc.constantFrom(...Object.values(state)),
  attempt: anyUint32,
  lease: anyText,
  fence: anyNumber,
  priority: anyUint32,
  group: anyText,
  dedupKey: anyText,
  reason: anyText,
  createdAt: fc.integer({ min: 0, max: 8.64e15 }),
  expiresAt: anyTime,
  leaseDeadline: anyTime,
  readyAt: fc.oneof(fc.constant(-Infinity), anyTime),
  ttrMs: fc.oneof(fc.constant(Infinity), fc.nat(3_650 * 86_400_000)),
  payload: fc.option(
    anyPayload.map(({ content, attributes }) => ({ ...content, attributes })),
    { nil: undefined },
  ),
});

test("taken tasks have the bytes that protobuf-es gives them", () => {
  fc.assert(
    fc.property(fc.array(anyView, { maxLength: 5 }), (views) => {
      const tasks = views.map(taskMessage);
      const take = { tasks };
      const expected = toBinary(TakeResponseSchema, create(TakeResponseSchema, take));
      assert.deepEqual(new Uint8Array(queueEncoders.take(take) ?? []), expected);

      const work = { message: { case: "tasks" as const, value: { tasks } } };
      const message = create(WorkResponseSchema, work);
      const bytes = queueEncoders.work(work) ?? new Uint8Array();
      assert.deepEqual(new Uint8Array(bytes), toBinary(WorkResponseSchema, message));
    }),
    { numRuns: 500 },
  );
});

test("the answer to a put has the bytes that protobuf-es gives it", () => {
  fc.assert(
    fc.property(anyView, fc.boolean(), (view, duplicate) => {
      const put = { task: taskMessage(view), duplicate };
      const expected = toBinary(PutResponseSchema, create(PutResponseSchema, put));
      assert.deepEqual(new Uint8Array(queueEncoders.put(put) ?? []), expected);
    }),
    { numRuns: 500 },
  );
});

test("what is not made of views is left to protobuf-es", () => {
  assert.equal(queueEncoders.put({ task: { tube: "a", id: 1n }, duplicate: true }), undefined);
  assert.equal(queueEncoders.take({ tasks: [{ tube: "a" }] }), undefined);
  const settled = { message: { case: "settled", value: { sequence: 1n } } };
  assert.equal(queueEncoders.work(settled), undefined);
});
