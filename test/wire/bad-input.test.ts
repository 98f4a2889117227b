import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  type DescMethod,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { callJson, startService, transportOf } from "../support/service.ts";

const LONG = "x".repeat(257);
const TASK = { payload: { text: "a" } };
const MANY = Array(10_001).fill("lease");

function nested(levels: number): JsonValue {
  return levels === 0 ? 1 : levels % 2 ? [nested(levels - 1)] : { a: nested(levels - 1) };
}

/** Requests by RPC, each with the field that is at fault. `fifo` and `timed` are there. */
const queueCases: Record<string, readonly (readonly [JsonValue, string])[]> = {
  CreateTube: [
    [{}, "tube"],
    [{ tube: {} }, "tube.name"],
    [{ tube: { name: "a b", kind: "TUBE_KIND_FIFO" } }, "tube.name"],
    [{ tube: { name: "x".repeat(65), kind: "TUBE_KIND_FIFO" } }, "tube.name"],
    [{ tube: { name: "tüb", kind: "TUBE_KIND_FIFO" } }, "tube.name"],
    [{ tube: { name: "a" } }, "tube.kind"],
    [{ tube: { name: "a", kind: 77 } }, "tube.kind"],
    [{ tube: { name: "a", kind: "TUBE_KIND_FIFO", capacity: "5" } }, "tube.capacity"],
    [{ tube: { name: "a", kind: "TUBE_KIND_LIMFIFOTTL" } }, "tube.capacity"],
    [{ tube: { name: "a", kind: "TUBE_KIND_FIFO", defaultPriority: 0 } }, "tube.default_priority"],
    [{ tube: { name: "a", kind: "TUBE_KIND_UTUBE", defaultTtl: "5s" } }, "tube.default_ttl"],
    [{ tube: { name: "a", kind: "TUBE_KIND_FIFOTTL", defaultTtl: "0s" } }, "tube.default_ttl"],
    [{ tube: { name: "a", kind: "TUBE_KIND_FIFOTTL", defaultTtr: "-1s" } }, "tube.default_ttr"],
    [
      { tube: { name: "a", kind: "TUBE_KIND_FIFOTTL", defaultDelay: "315360001s" } },
      "tube.default_delay",
    ],
    [{ tube: { name: "a", kind: "TUBE_KIND_FIFO", dedupWindow: "-1s" } }, "tube.dedup_window"],
    [
      { tube: { name: "a", kind: "TUBE_KIND_FIFOTTL", retryBackoff: {} } },
      "tube.retry_backoff.initial",
    ],
    [
      {
        tube: {
          name: "a",
          kind: "TUBE_KIND_FIFOTTL",
          retryBackoff: { initial: "1s", multiplier: 0.5 },
        },
      },
      "tube.retry_backoff.multiplier",
    ],
    [
      {
        tube: { name: "a", kind: "TUBE_KIND_FIFOTTL", retryBackoff: { initial: "2s", max: "1s" } },
      },
      "tube.retry_backoff.max",
    ],
    [
      { tube: { name: "a", kind: "TUBE_KIND_FIFO", retryBackoff: { initial: "1s" } } },
      "tube.retry_backoff",
    ],
  ],
  GetTube: [
    [{}, "tube"],
    [{ tube: "a b" }, "tube"],
  ],
  ListTubes: [
    [{ pageSize: -1 }, "page_size"],
    [{ pageSize: 1_001 }, "page_size"],
    [{ pageToken: "junk" }, "page_token"],
  ],
  UpdateTube: [
    [{}, "tube"],
    [{ tube: {} }, "tube.name"],
    [{ tube: { name: "fifo", kind: "TUBE_KIND_UTUBE" } }, "tube.kind"],
    [{ tube: { name: "fifo" }, updateMask: "kind" }, "update_mask"],
    [{ tube: { name: "fifo" }, updateMask: "toString" }, "update_mask"],
    [{ tube: { name: "fifo", capacity: "5" } }, "tube.capacity"],
    [{ tube: { name: "fifo" }, updateMask: "defaultTtl" }, "tube.default_ttl"],
  ],
  DeleteTube: [[{}, "tube"]],
  TruncateTube: [[{}, "tube"]],
  PauseTube: [
    [{}, "tube"],
    [{ tube: "fifo", duration: "-1s" }, "duration"],
    [{ tube: "fifo", duration: "0s" }, "duration"],
  ],
  ResumeTube: [[{}, "tube"]],
  GetStatistics: [[{ tube: "a b" }, "tube"]],
  Put: [
    [{}, "tube"],
    [{ tube: "fifo" }, "task"],
    [{ tube: "fifo", task: {} }, "task.payload"],
    [{ tube: "fifo", task: { payload: {} } }, "task.payload"],
    [{ tube: "fifo", task: { payload: { json: nested(31) } } }, "task.payload.json"],
    [{ tube: "fifo", task: TASK, wait: "-1s" }, "wait"],
    [{ tube: "fifo", task: TASK, wait: "315360001s" }, "wait"],
    [{ tube: "fifo", task: { ...TASK, priority: 0 } }, "task.priority"],
    [{ tube: "fifo", task: { ...TASK, delay: "0s" } }, "task.delay"],
    [{ tube: "fifo", task: { ...TASK, ttl: "1s" } }, "task.ttl"],
    [{ tube: "fifo", task: { ...TASK, ttr: "1s" } }, "task.ttr"],
    [{ tube: "fifo", task: { ...TASK, group: "g" } }, "task.group"],
    [{ tube: "timed", task: { ...TASK, ttl: "0s" } }, "task.ttl"],
    [{ tube: "timed", task: { ...TASK, ttr: "0s" } }, "task.ttr"],
    [{ tube: "timed", task: { ...TASK, delay: "-0.001s" } }, "task.delay"],
    [{ tube: "grouped", task: { ...TASK, group: LONG } }, "task.group"],
    [{ tube: "fifo", task: { ...TASK, dedupKey: LONG } }, "task.dedup_key"],
  ],
  BatchPut: [
    [{}, "tube"],
    [{ tube: "fifo" }, "tasks"],
    [{ tube: "fifo", tasks: [TASK, {}] }, "tasks[1].payload"],
    [{ tube: "fifo", tasks: [TASK, { ...TASK, group: "g" }] }, "tasks[1].group"],
    [{ tube: "fifo", tasks: Array(10_001).fill(TASK) }, "tasks"],
  ],
  Take: [
    [{}, "tube"],
    [{ tube: "fifo", maxTasks: 10_001 }, "max_tasks"],
    [{ tube: "fifo", wait: "-1s" }, "wait"],
    [{ tube: "fifo", session: LONG }, "session"],
  ],
  Ack: [[{}, "lease"]],
  Release: [
    [{}, "lease"],
    [{ lease: "x", delay: "-1s" }, "delay"],
    [{ lease: "x", reason: "x".repeat(4_097) }, "reason"],
  ],
  Bury: [[{}, "lease"]],
  Touch: [
    [{}, "lease"],
    [{ lease: "x" }, "extend"],
    [{ lease: "x", extend: "0s" }, "extend"],
    [{ lease: "x", extend: "-1s" }, "extend"],
  ],
  BatchAck: [
    [{}, "leases"],
    [{ leases: MANY }, "leases"],
  ],
  BatchRelease: [
    [{}, "leases"],
    [{ leases: MANY }, "leases"],
    [{ leases: ["x"], delay: "-1s" }, "delay"],
  ],
  GetTask: [
    [{}, "tube"],
    [{ tube: "fifo" }, "id"],
  ],
  ListTasks: [
    [{}, "tube"],
    [{ tube: "fifo", state: 77 }, "state"],
    [{ tube: "fifo", state: "TASK_STATE_DONE" }, "state"],
    [{ tube: "fifo", pageSize: -1 }, "page_size"],
    [{ tube: "fifo", pageSize: 1_001 }, "page_size"],
    [{ tube: "fifo", pageToken: "!" }, "page_token"],
  ],
  KickTasks: [
    [{}, "tube"],
    [{ tube: "fifo" }, "count"],
  ],
  DeleteTask: [
    [{}, "tube"],
    [{ tube: "fifo" }, "id"],
  ],
  BuryTask: [
    [{}, "tube"],
    [{ tube: "fifo" }, "id"],
  ],
  ReleaseAll: [[{}, "tube"]],
  OpenSession: [
    [{ ttl: "0.5s" }, "ttl"],
    [{ ttl: "86401s" }, "ttl"],
    [{ ttl: "-1s" }, "ttl"],
  ],
  RenewSession: [[{}, "session"]],
  CloseSession: [[{}, "session"]],
};

const authCases: Record<string, readonly (readonly [JsonValue, string])[]> = {
  GetSocialAuthUrl: [
    [{}, "provider"],
    [{ provider: "facebook" }, "redirect_uri"],
  ],
  SocialAuth: [
    [{}, "provider"],
    [{ provider: "facebook" }, "code"],
    [{ provider: "facebook", code: "c", address: "not an address" }, "address"],
  ],
  CheckSession: [[{}, "token"]],
  SignOut: [[{}, "token"]],
  GetUser: [
    [{ userId: "" }, "user_id"],
    [{ userId: "a b" }, "user_id"],
    [{ email: "not an email" }, "email"],
  ],
};

/** Bodies that are no request at all, and the field that the answer names. */
const malformed: readonly (readonly [string, string])[] = [
  ["", "(message)"],
  ["{", "(message)"],
  ["null", "(message)"],
  ["[]", "(message)"],
  ['"tube"', "(message)"],
  ['{"tube":7}', "tube"],
  ['{"tube":"fifo","maxTasks":-1}', "max_tasks"],
  ['{"tube":"fifo","maxTasks":4294967296}', "max_tasks"],
  ['{"tube":"fifo","wait":"soon"}', "wait"],
  ['{"tube":"fifo","tubee":"x"}', "tubee"],
  [`${"[".repeat(100_000)}`, "(message)"],
];

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

async function startWithTubes(t: Parameters<typeof startService>[0]) {
  const usher = await startService(t);
  for (const [name, kind] of [
    ["fifo", "FIFO"],
    ["timed", "FIFOTTL"],
    ["grouped", "UTUBE"],
  ]) {
    const tube = { name, kind: `TUBE_KIND_${kind}` };
    const { status } = await callJson(usher, `${QueueService.typeName}/CreateTube`, { tube });
    assert.equal(status, 200);
  }
  return usher;
}

describe("bad input is INVALID_ARGUMENT naming the field", () => {
  for (const [service, cases] of [
    [QueueService, queueCases],
    [AuthService, authCases],
  ] as const) {
    for (const [rpc, requests] of Object.entries(cases)) {
      test(`${service.typeName}/${rpc}`, async (t) => {
        const usher = await startWithTubes(t);
        const method = service.methods.find(({ name }) => name === rpc);
        assert.ok(method !== undefined && isUnary(method));
        const grpc = transportOf(usher, "gRPC on the gRPC port");
        for (const [request, field] of requests) {
          const shown = JSON.stringify(request).slice(0, 200);
          const { status, body } = await callJson(usher, `${service.typeName}/${rpc}`, request);
          assert.equal(status, 400, shown);
          assert.equal(body.code, "invalid_argument", shown);
          assert.equal(body.details[0].debug.reason, "INVALID_PARAMS", shown);
          assert.equal(body.details[1].debug.fieldViolations[0].field, field, shown);

          const message: Message = fromJson(method.input, request);
          const error: ConnectError = await grpc
            .unary(method, undefined, undefined, undefined, message)
            .then(() => assert.fail(shown), ConnectError.from);
          assert.equal(error.code, Code.InvalidArgument, shown);
          assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "INVALID_PARAMS", shown);
          const [bad] = error.findDetails(BadRequestSchema);
          assert.equal(bad?.fieldViolations[0]?.field, field, shown);
        }
      });
    }
  }

  test("a body that is no request", async (t) => {
    const usher = await startWithTubes(t);
    for (const [body, field] of malformed) {
      const shown = body.slice(0, 100);
      const answer = await callJson(usher, `${QueueService.typeName}/Take`, body);
      assert.equal(answer.status, 400, shown);
      assert.equal(answer.body.details?.[0].debug.reason, "INVALID_PARAMS", shown);
      assert.equal(answer.body.details[1].debug.fieldViolations[0].field, field, shown);
    }
    const { status } = await callJson(usher, `${QueueService.typeName}/Take`, { tube: "fifo" });
    assert.equal(status, 200, "it goes on");
  });

  test("a task that is too large", async (t) => {
    const usher = await startWithTubes(t);
    const put = (text: string, attributes = {}) => {
      const task = { payload: { text }, attributes };
      return callJson(usher, `${QueueService.typeName}/Put`, { tube: "fifo", task });
    };
    assert.equal((await put("x".repeat(2 ** 20))).status, 200);
    for (const { status, body } of [
      await put("x".repeat(2 ** 20 + 1)),
      await put("x".repeat(2 ** 20), { a: "" }),
    ]) {
      assert.equal(status, 400);
      assert.equal(body.details[0].debug.reason, "PAYLOAD_TOO_LARGE");
      assert.match(body.message, /the limit is 1048576/);
    }
  });
});

test("every unary RPC that is served has cases of bad input", async () => {
  const without = QueueService.methods
    .filter(({ methodKind, name }) => methodKind === "unary" && !(name in queueCases))
    .map(({ name }) => name);
  assert.deepEqual(without, []);
});
