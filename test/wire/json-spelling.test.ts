import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { startTestServer } from "../server/harness.ts";
import { callJson, startService } from "../support/service.ts";

const queue = (rpc: string) => `${QueueService.typeName}/${rpc}`;
const auth = (rpc: string) => `${AuthService.typeName}/${rpc}`;

describe("names of enums", () => {
  test("are taken short, in any case, and in full", async (t) => {
    const usher = await startService(t, { USHER_AUTH_PASSWORD_MEMORY: "1MiB" });
    const ask = async (rpc: string, request: object) => {
      const { status, body } = await callJson(usher, rpc, request);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    };
    const kinds = ["FIFO", "fifottl", "TUBE_KIND_UTUBE", "tube_kind_utubettl", 1];
    for (const [index, kind] of kinds.entries()) {
      const name = `tube-${index}`;
      const { tube } = await ask(queue("CreateTube"), { tube: { name, kind } });
      const expected = ["FIFO", "FIFOTTL", "UTUBE", "UTUBETTL", "FIFO"][index];
      assert.equal(tube.kind, `TUBE_KIND_${expected}`);
    }
    const task = { payload: { text: "ready" }, delay: "60s" };
    await ask(queue("Put"), { tube: "tube-1", task });
    for (const [state, count] of [
      ["DELAYED", 1],
      ["delayed", 1],
      ["TASK_STATE_DELAYED", 1],
      ["ready", 0],
    ] as const) {
      const { tasks = [] } = await ask(queue("ListTasks"), { tube: "tube-1", state });
      assert.equal(tasks.length, count, state);
    }
    await ask(auth("Register"), { email: "ann@example.com" });
    for (const [state, count] of [
      ["PENDING", 1],
      ["pending", 1],
      ["active", 0],
    ] as const) {
      const { users = [] } = await ask(auth("ListUsers"), { state });
      assert.equal(users.length, count, state);
    }
  });

  test("that are short call the handler once, and hide no other fault", async (t) => {
    const seen: string[] = [];
    const server = await startTestServer({
      createTube({ tube }) {
        seen.push(`${tube?.name} ${tube?.kind}`);
        return {};
      },
    });
    t.after(() => server.close(0));
    const call = (body: string) => callJson(server, queue("CreateTube"), body);
    assert.equal((await call('{"tube":{"name":"a\\u00e9","kind":"fifo"}}')).status, 200);
    assert.deepEqual(seen, ["a\u00e9 1"]);
    for (const [body, message] of [
      ['{"tube":{"kind":"FIFO","name":"a","name":"b"}}', "name: set twice"],
      ['{"tube":{"kind":"FIFO","kind":"UTUBE"}}', "kind: set twice"],
      [
        '{"tube":{"kind":"FIFO","defaultTtl":5}}',
        'tube.defaultTtl: a duration is a string of seconds, such as "5s"',
      ],
      [
        '{"tube":{"kind":"FIFO","max_attempts":1,"maxAttempts":1}}',
        "tube.maxAttempts: set twice, as max_attempts too",
      ],
      ['{"tube":{"kind":"FIFO","name":"\\ud800"}}', /^tube\.name: .*UTF8/],
    ] as const) {
      const answer = await call(body);
      assert.equal(answer.status, 400, body);
      if (typeof message === "string") assert.equal(answer.body.message, message);
      else assert.match(answer.body.message, message);
    }
    const bytes = Buffer.from('{"tube":{"kind":"FIFO","name":"\xff"}}', "latin1");
    const broken = await fetch(`http://${server.httpAddress}/${queue("CreateTube")}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: bytes,
    });
    assert.equal(broken.status, 400);
    // A handler that refuses a request is not asked again, whatever stands in it.
    const deep = `{"tube":{"kind":"FIFO","labels":${"[".repeat(5000)}${"]".repeat(5000)}}}`;
    assert.equal((await call(deep)).status, 400);
    assert.equal(seen.length, 1);
  });
});

/** What is wrong: the RPC, the request, the field as the proto names it, the message. */
const mistakes: readonly (readonly [
  rpc: string,
  request: unknown,
  field: string,
  message: string,
])[] = [
  [
    queue("CreateTube"),
    { tube: { kind: "LIFO" } },
    "tube.kind",
    "tube.kind: must be one of FIFO, FIFOTTL, LIMFIFOTTL, UTUBE, UTUBETTL (or in full, such as TUBE_KIND_FIFO)",
  ],
  [
    queue("Put"),
    { task: { payload: "hello" } },
    "task.payload",
    'task.payload: must be an object with the fields data, text, json, such as {"text":"hello"}',
  ],
  [
    queue("BatchPut"),
    { tasks: [{}, {}, { payload: { text: "" } }, { payload: { data: "hello" } }] },
    "tasks[3].payload.data",
    'tasks[3].payload.data: must be a string of base64, such as "aGVsbG8=" for hello; or send text as it is in "text"',
  ],
  [
    queue("Put"),
    { task: { delay: 5 } },
    "task.delay",
    'task.delay: a duration is a string of seconds, such as "5s"',
  ],
  [
    queue("Put"),
    { task: { delay: "1m" } },
    "task.delay",
    'task.delay: a duration is a string of seconds, such as "5s"',
  ],
  [queue("Put"), { taks: {} }, "taks", "taks: unknown field; did you mean task?"],
  [
    queue("Take"),
    { tube: "a", blocking: true },
    "blocking",
    "blocking: unknown field; there are tube, maxTasks, wait, session",
  ],
  [
    queue("Take"),
    { maxTasks: -1 },
    "max_tasks",
    "maxTasks: must be a whole number from 0 to 4294967295",
  ],
  [
    queue("GetTask"),
    { id: "first" },
    "id",
    'id: must be a whole number from 0 on, past 9007199254740991 as a string, such as "9007199254740993"',
  ],
  [
    queue("UpdateTube"),
    { updateMask: ["maxAttempts"] },
    "update_mask",
    'updateMask: must be a string of field names with commas between, such as "fieldOne,fieldTwo"',
  ],
  [
    queue("Put"),
    { task: { attributes: { n: 1 } } },
    'task.attributes["n"]',
    'task.attributes["n"]: must be a string, such as "text"',
  ],
  [
    queue("Put"),
    { task: { attributes: [] } },
    "task.attributes",
    'task.attributes: must be an object of names and values, such as {"a":"b"}',
  ],
  [queue("BatchAck"), { leases: "a" }, "leases", "leases: must be a list, such as []"],
  [queue("Put"), ["a"], "(message)", "(message): must be a JSON object, such as {}"],
  [
    auth("ListUsers"),
    { state: "ALIVE" },
    "state",
    "state: must be one of PENDING, ACTIVE, DEACTIVATED (or in full, such as USER_STATE_PENDING)",
  ],
  [
    auth("ListAuditEvents"),
    { startTime: 1_700_000_000 },
    "start_time",
    'startTime: a time is a string such as "2026-11-27T18:00:00Z"',
  ],
  [
    auth("UpdateProfile"),
    { profile: { firstName: 1 } },
    "profile.first_name",
    'profile.firstName: must be a string, such as "text"',
  ],
  [auth("SignIn"), { emial: "a@b.example" }, "emial", "emial: unknown field; did you mean email?"],
];

describe("a mistake in JSON is told with what JSON should have", () => {
  let usher: Awaited<ReturnType<typeof startTestServer>>;
  before(async () => {
    usher = await startTestServer({});
  });
  after(() => usher.close(0));

  for (const [rpc, request, field, message] of mistakes) {
    test(`${rpc} ${JSON.stringify(request)}`, async () => {
      const { status, body } = await callJson(usher, rpc, request);
      assert.equal(status, 400);
      assert.equal(body.message, message);
      const [{ debug: info }, { debug: bad }] = body.details;
      assert.equal(info.reason, "INVALID_PARAMS");
      assert.equal(bad.fieldViolations[0].field, field);
    });
  }
});
