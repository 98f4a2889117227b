import assert from "node:assert/strict";
import { connect } from "node:http2";
import { describe, type TestContext } from "node:test";
import { test } from "../support/on-each-storage.ts";
import { startService } from "../support/service.ts";

// The JSON that people type and read, byte for byte: field names, numbers as numbers or strings,
// what is there and what is left out. Values that differ from run to run are replaced by these.
const TIME = "<time>";
const LEASE = "<lease>";
const FENCE = "<fence>";
const SESSION = "<session>";
const TOKEN = "<token>";

type Json = Readonly<Record<string, unknown>>;

/** Replaces what differs from run to run, if it has the form that it must have. */
function plain(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, key));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, plain(item, name)]),
    );
  }
  if (typeof value !== "string") return value;
  if (
    /Time$|^time$|^pausedUntil$/.test(key) &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)
  ) {
    return TIME;
  }
  if (key === "lease" && /^(?:[0-9a-z]{1,2}-)?[0-9a-z]+\.[\w-]{16}$/.test(value)) return LEASE;
  if (key === "fence" && /^[1-9]\d*$/.test(value)) return FENCE;
  if (key === "nextPageToken" && value !== "") return TOKEN;
  return value;
}

async function start(t: TestContext) {
  const usher = await startService(t);
  const ask = async (rpc: string, request: Json): Promise<{ status: number; text: string }> => {
    const url = `http://${usher.httpAddress}/usher.queue.v1.QueueService/${rpc}`;
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(request) });
    return { status: response.status, text: await response.text() };
  };
  return {
    usher,
    /** The answer as it is. */
    // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
    async call(rpc: string, request: Json): Promise<any> {
      const { status, text } = await ask(rpc, request);
      assert.equal(status, 200, text);
      return JSON.parse(text);
    },
    async refused(rpc: string, request: Json) {
      const { status, text } = await ask(rpc, request);
      const { code, details } = JSON.parse(text);
      return [status, code, ...details.map((detail: Json) => detail["debug"])];
    },
  };
}

describe("the calls of the contract work as written", () => {
  test("CreateTube, GetTube, ListTubes, UpdateTube, PauseTube, ResumeTube, DeleteTube", async (t) => {
    const { call } = await start(t);
    const created = await call("CreateTube", {
      tube: { name: "test_queue", kind: "TUBE_KIND_FIFO" },
      ifNotExists: true,
    });
    const tube = { name: "test_queue", kind: "TUBE_KIND_FIFO", createTime: TIME };
    assert.deepEqual(plain(created), { tube });
    assert.deepEqual(plain(await call("GetTube", { tube: "test_queue" })), { tube });
    const whole = {
      name: "mail",
      kind: "TUBE_KIND_LIMFIFOTTL",
      temporary: true,
      capacity: "400",
      defaultPriority: 3,
      defaultTtl: "3600s",
      defaultTtr: "30s",
      defaultDelay: "0.500s",
      maxAttempts: 5,
      retryBackoff: { initial: "1s", max: "60s", multiplier: 2.5 },
      dedupWindow: "600s",
    };
    assert.deepEqual(plain(await call("CreateTube", { tube: whole })), {
      tube: { ...whole, createTime: TIME },
    });
    const updated = await call("UpdateTube", {
      tube: { name: "mail", capacity: "500" },
      updateMask: "capacity",
    });
    assert.deepEqual(plain(updated), { tube: { ...whole, capacity: "500", createTime: TIME } });
    assert.deepEqual(plain(await call("ListTubes", {})), {
      tubes: [{ ...whole, capacity: "500", createTime: TIME }, tube],
    });
    assert.deepEqual(plain(await call("ListTubes", { pageSize: 1 })), {
      tubes: [{ ...whole, capacity: "500", createTime: TIME }],
      nextPageToken: TOKEN,
    });
    assert.deepEqual(plain(await call("PauseTube", { tube: "test_queue", duration: "3600s" })), {
      tube: { ...tube, paused: true, pausedUntil: TIME },
    });
    assert.deepEqual(plain(await call("PauseTube", { tube: "test_queue" })), {
      tube: { ...tube, paused: true },
    });
    assert.deepEqual(plain(await call("ResumeTube", { tube: "test_queue" })), { tube });
    assert.deepEqual(await call("DeleteTube", { tube: "test_queue" }), {});
    assert.deepEqual(await call("DeleteTube", { tube: "mail", force: true }), {});
    assert.deepEqual(await call("ListTubes", {}), {});
  });

  test("Put, Take, Ack, Release, Bury, Touch of an untimed tube", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", { tube: { name: "test_queue", kind: "TUBE_KIND_FIFO" } });
    const put = await call("Put", { tube: "test_queue", task: { payload: { text: "task_1" } } });
    const common = { tube: "test_queue", id: "1", createTime: TIME };
    assert.deepEqual(plain(put), { task: { ...common, state: "TASK_STATE_READY" } });
    const leased = {
      ...common,
      state: "TASK_STATE_LEASED",
      payload: { text: "task_1" },
      lease: LEASE,
      fence: FENCE,
      leaseExpireTime: TIME,
    };
    const take = () => call("Take", { tube: "test_queue", maxTasks: 10, wait: "5s" });
    let taken = await take();
    assert.deepEqual(plain(taken), { tasks: [{ ...leased, attempt: 1 }] });
    assert.deepEqual(plain(await call("Touch", { lease: taken.tasks[0].lease, extend: "30s" })), {
      task: {
        ...common,
        state: "TASK_STATE_LEASED",
        attempt: 1,
        fence: FENCE,
        leaseExpireTime: TIME,
      },
    });
    const released = await call("Release", { lease: taken.tasks[0].lease, reason: "smtp 451" });
    assert.deepEqual(plain(released), {
      task: { ...common, state: "TASK_STATE_READY", attempt: 1, reason: "smtp 451" },
    });
    taken = await take();
    assert.deepEqual(plain(taken), { tasks: [{ ...leased, attempt: 2, reason: "smtp 451" }] });
    const buried = await call("Bury", { lease: taken.tasks[0].lease, reason: "no such address" });
    assert.deepEqual(plain(buried), {
      task: { ...common, state: "TASK_STATE_BURIED", attempt: 2, reason: "no such address" },
    });
    assert.deepEqual(await call("KickTasks", { tube: "test_queue", count: 10 }), { count: 1 });
    taken = await take();
    assert.deepEqual(plain(taken), { tasks: [{ ...leased, attempt: 1 }] });
    assert.deepEqual(plain(await call("Ack", { lease: taken.tasks[0].lease })), {
      task: { ...common, state: "TASK_STATE_DONE", attempt: 1 },
    });
    assert.deepEqual(await call("Take", { tube: "test_queue" }), {}, "an empty answer");
  });

  test("BatchPut, Take, Release with a delay, ListTasks of what a timed grouped tube has", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", { tube: { name: "mail", kind: "TUBE_KIND_UTUBETTL" } });
    const first = {
      payload: { json: { to: "a@b.c" } },
      priority: 2,
      delay: "0s",
      ttl: "60s",
      ttr: "10s",
      group: "b.c",
      dedupKey: "m1",
    };
    const second = { payload: { data: "AAEC/w==" }, attributes: { from: "ada" }, delay: "3600s" };
    const tasks = [first, first, second];
    assert.deepEqual(await call("BatchPut", { tube: "mail", tasks, wait: "1s" }), {
      ids: ["1", "1", "2"],
      duplicates: [1],
    });
    const common = {
      tube: "mail",
      id: "1",
      priority: 2,
      group: "b.c",
      dedupKey: "m1",
      createTime: TIME,
      expireTime: TIME,
      ttr: "10s",
    };
    const taken = await call("Take", { tube: "mail" });
    assert.deepEqual(plain(taken), {
      tasks: [
        {
          ...common,
          payload: { json: { to: "a@b.c" } },
          state: "TASK_STATE_LEASED",
          attempt: 1,
          lease: LEASE,
          fence: FENCE,
          leaseExpireTime: TIME,
        },
      ],
    });
    const lease = taken.tasks[0].lease;
    const released = await call("Release", { lease, delay: "3600s", reason: "smtp 451" });
    assert.deepEqual(plain(released), {
      task: {
        ...common,
        state: "TASK_STATE_DELAYED",
        attempt: 1,
        reason: "smtp 451",
        readyTime: TIME,
      },
    });
    assert.deepEqual(plain(await call("ListTasks", { tube: "mail", pageSize: 50 })), {
      tasks: [
        {
          ...common,
          payload: { json: { to: "a@b.c" } },
          state: "TASK_STATE_DELAYED",
          attempt: 1,
          reason: "smtp 451",
          readyTime: TIME,
        },
        {
          tube: "mail",
          id: "2",
          payload: { data: "AAEC/w==" },
          attributes: { from: "ada" },
          state: "TASK_STATE_DELAYED",
          createTime: TIME,
          readyTime: TIME,
        },
      ],
    });
    const got = await call("GetTask", { tube: "mail", id: "2" });
    assert.deepEqual(got.task.attributes, { from: "ada" });
    assert.deepEqual(plain(await call("BuryTask", { tube: "mail", id: "2", reason: "x" })), {
      task: { tube: "mail", id: "2", state: "TASK_STATE_BURIED", reason: "x", createTime: TIME },
    });
    const buried = { tube: "mail", state: "TASK_STATE_BURIED", pageSize: 50 };
    assert.deepEqual((await call("ListTasks", buried)).tasks.length, 1);
    assert.deepEqual(plain(await call("DeleteTask", { tube: "mail", id: "2" })), {
      task: { tube: "mail", id: "2", state: "TASK_STATE_DONE", reason: "x", createTime: TIME },
    });
    assert.deepEqual(await call("ListTasks", buried), {});
  });

  test("BatchAck, BatchRelease: failures, and nothing where nothing failed", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", { tube: { name: "jobs", kind: "TUBE_KIND_FIFO" } });
    const task = { payload: { text: "" } };
    await call("BatchPut", { tube: "jobs", tasks: [task, task] });
    const { tasks } = await call("Take", { tube: "jobs", maxTasks: 2 });
    const leases: string[] = tasks.map(({ lease }: { lease: string }) => lease);
    assert.deepEqual(await call("BatchAck", { leases: [leases[0], "1.gone"] }), {
      failures: [{ lease: "1.gone", reason: "LEASE_LOST" }],
    });
    assert.deepEqual(await call("BatchRelease", { leases: [leases[1]], reason: "later" }), {});
    const failed = await call("BatchAck", { leases: [leases[0], leases[1]] });
    assert.deepEqual(failed, {
      failures: leases.map((lease) => ({ lease, reason: "LEASE_LOST" })),
    });
    const [empty] = (await call("BatchAck", { leases: [""] })).failures;
    // What is empty is not shown.
    assert.equal(empty.lease, undefined);
    assert.equal(empty.reason, "INVALID_PARAMS");
  });

  test("counts show their zeros", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", { tube: { name: "mail", kind: "TUBE_KIND_FIFO" } });
    const none = { ready: "0", leased: "0", buried: "0", delayed: "0", total: "0" };
    const calls = {
      ...{ put: "0", take: "0", ack: "0", release: "0" },
      ...{ bury: "0", kick: "0", touch: "0", delete: "0" },
    };
    const totals = {
      ...{ put: "0", taken: "0", acked: "0", released: "0" },
      ...{ buried: "0", kicked: "0", deleted: "0" },
    };
    const empty = {
      tube: "mail",
      tasks: none,
      calls,
      totals,
      done: "0",
      expired: "0",
      waitingTakers: "0",
      waitingPuts: "0",
    };
    assert.deepEqual(await call("GetStatistics", { tube: "mail" }), { tubes: [empty] });
    await call("Put", { tube: "mail", task: { payload: { text: "" } } });
    const [{ oldestReadyAge, ...one }] = (await call("GetStatistics", {})).tubes;
    assert.match(oldestReadyAge, /^\d+(\.\d+)?s$/);
    assert.deepEqual(one, {
      ...empty,
      tasks: { ...none, ready: "1", total: "1" },
      calls: { ...calls, put: "1" },
      totals: { ...totals, put: "1" },
    });
    assert.deepEqual(await call("ReleaseAll", { tube: "mail" }), { count: "0" });
    assert.deepEqual(await call("KickTasks", { tube: "mail", count: 1 }), { count: 0 });
    assert.deepEqual(await call("TruncateTube", { tube: "mail" }), { count: "1" });
    assert.deepEqual(await call("TruncateTube", { tube: "mail" }), { count: "0" });
  });

  test("OpenSession, RenewSession, CloseSession", async (t) => {
    const { call, refused } = await start(t);
    const opened = await call("OpenSession", { ttl: "30s" });
    const { id } = opened.session;
    assert.equal(typeof id, "string");
    const shown = (answer: { session: Json }) => plain({ ...answer.session, id: SESSION });
    const session = { id: SESSION, ttl: "30s", expireTime: TIME };
    assert.deepEqual(shown(opened), session);
    assert.deepEqual(shown(await call("RenewSession", { session: id })), session);
    assert.equal((await call("OpenSession", {})).session.ttl, "60s");
    await call("CreateTube", { tube: { name: "jobs", kind: "TUBE_KIND_FIFO" } });
    await call("Put", { tube: "jobs", task: { payload: { text: "" } } });
    const { tasks } = await call("Take", { tube: "jobs", session: id });
    assert.equal(tasks[0].leaseExpireTime, undefined, "it ends with its session");
    assert.deepEqual(await call("CloseSession", { session: id }), {});
    assert.deepEqual(await refused("CloseSession", { session: id }), [
      404,
      "not_found",
      { reason: "SESSION_NOT_FOUND", domain: "usher" },
    ]);
  });

  test("a duplicate Put says so", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", {
      tube: { name: "mail", kind: "TUBE_KIND_FIFO", dedupWindow: "60s" },
    });
    const request = { tube: "mail", task: { payload: { text: "a" }, dedupKey: "m1" } };
    const shown = { tube: "mail", id: "1", dedupKey: "m1", createTime: TIME };
    assert.deepEqual(plain(await call("Put", request)), {
      task: { ...shown, state: "TASK_STATE_READY" },
    });
    const { tasks } = await call("Take", { tube: "mail" });
    assert.deepEqual(plain(await call("Put", request)), {
      task: {
        ...shown,
        state: "TASK_STATE_LEASED",
        attempt: 1,
        fence: FENCE,
        leaseExpireTime: TIME,
      },
      duplicate: true,
    });
    await call("Ack", { lease: tasks[0].lease });
    assert.deepEqual(await call("Put", request), {
      task: { tube: "mail", id: "1" },
      duplicate: true,
    });
  });

  test("every form of payload comes back as it was sent", async (t) => {
    const { call } = await start(t);
    await call("CreateTube", { tube: { name: "jobs", kind: "TUBE_KIND_FIFO" } });
    const payloads = [
      { text: "" },
      { text: "snow \u2603, nul \u0000, emoji \u{1f600}" },
      { data: "" },
      { data: "AP8=" },
      { json: null },
      { json: false },
      { json: 0 },
      { json: -0.1 },
      { json: 1e300 },
      { json: 9_007_199_254_740_991 },
      { json: "" },
      { json: [] },
      { json: {} },
      { json: { a: [1, { "": null }], b: { c: "d" }, __proto__x: 1 } },
    ];
    const tasks = payloads.map((payload) => ({ payload }));
    await call("BatchPut", { tube: "jobs", tasks });
    const taken = (await call("Take", { tube: "jobs", maxTasks: 100 })).tasks;
    assert.deepEqual(
      taken.map(({ payload }: { payload: unknown }) => payload),
      payloads,
    );
  });
});

describe("errors by JSON", () => {
  test("each reason with its status", async (t) => {
    const { call, refused } = await start(t);
    await call("CreateTube", {
      tube: { name: "small", kind: "TUBE_KIND_LIMFIFOTTL", capacity: "1" },
    });
    await call("Put", { tube: "small", task: { payload: { text: "" } } });
    await call("Take", { tube: "small" });
    const task = { payload: { text: "" } };
    const large = { payload: { text: "x".repeat(2 ** 20 + 1) } };
    const cases: [string, Json, number, string, string][] = [
      ["GetTube", { tube: "nope" }, 404, "not_found", "TUBE_NOT_FOUND"],
      ["GetTask", { tube: "small", id: "9" }, 404, "not_found", "TASK_NOT_FOUND"],
      ["RenewSession", { session: "x" }, 404, "not_found", "SESSION_NOT_FOUND"],
      [
        "CreateTube",
        { tube: { name: "small", kind: "TUBE_KIND_FIFO" }, ifNotExists: true },
        409,
        "already_exists",
        "TUBE_ALREADY_EXISTS",
      ],
      ["DeleteTube", { tube: "small" }, 400, "failed_precondition", "TUBE_IN_USE"],
      ["BuryTask", { tube: "small", id: "1" }, 400, "failed_precondition", "TASK_NOT_BURIABLE"],
      ["Ack", { lease: "x" }, 400, "failed_precondition", "LEASE_LOST"],
      ["Put", { tube: "small", task }, 429, "resource_exhausted", "TUBE_FULL"],
      ["Put", { tube: "small", task: large }, 400, "invalid_argument", "PAYLOAD_TOO_LARGE"],
      ["Put", { tube: "small", task, tasks: [] }, 400, "invalid_argument", "INVALID_PARAMS"],
    ];
    for (const [rpc, request, status, code, reason] of cases) {
      const answer = await refused(rpc, request);
      assert.deepEqual(answer.slice(0, 3), [status, code, { reason, domain: "usher" }], rpc);
      if (code === "invalid_argument") assert.equal(answer[3].fieldViolations.length, 1);
    }
  });
});

describe("streams by JSON, a message each", () => {
  test("Work, Produce and Watch", async (t) => {
    const { usher, call } = await start(t);
    await call("CreateTube", { tube: { name: "mail", kind: "TUBE_KIND_FIFOTTL" } });
    await call("CreateTube", {
      tube: { name: "small", kind: "TUBE_KIND_LIMFIFOTTL", capacity: "1" },
    });
    const client = connect(`http://${usher.httpAddress}`);
    t.after(() => client.destroy());
    const stream = (rpc: string) => new JsonStream(client, `/usher.queue.v1.QueueService/${rpc}`);

    const watch = stream("Watch");
    watch.send({ tube: "mail", includePayload: true });
    watch.end();
    // Nothing says that a watch has begun.
    const first = watch.next();
    let begun = false;
    first.then(() => {
      begun = true;
    });
    while (!begun) await call("TruncateTube", { tube: "mail" });
    assert.deepEqual(plain(await first), {
      event: { change: "TASK_CHANGE_TRUNCATED", task: { tube: "mail" }, time: TIME },
    });

    const produce = stream("Produce");
    const task = { payload: { text: "a" } };
    produce.send({ sequence: "1", tube: "mail", tasks: [task, task], wait: "1s" });
    assert.deepEqual(await produce.next(), { sequence: "1", ids: ["1", "2"] });
    produce.send({ sequence: "2", tube: "small", tasks: [task, task] });
    const full = await produce.next();
    assert.deepEqual(full, {
      sequence: "2",
      error: { reason: "TUBE_FULL", message: "tube small has no room: its capacity is 1 tasks" },
    });
    produce.end();
    assert.equal(await produce.next(), undefined);

    const { session } = await call("OpenSession", {});
    const work = stream("Work");
    work.send({ start: { tubes: ["mail"], prefetch: 500, session: session.id } });
    const pushed = await work.next();
    const common = { tube: "mail", createTime: TIME };
    const leased = {
      ...common,
      payload: { text: "a" },
      state: "TASK_STATE_LEASED",
      attempt: 1,
      lease: LEASE,
      fence: FENCE,
    };
    assert.deepEqual(plain(pushed), {
      tasks: {
        tasks: [
          { ...leased, id: "1" },
          { ...leased, id: "2" },
        ],
      },
    });
    const [one, two] = pushed.tasks.tasks;
    work.send({
      settle: {
        sequence: "1",
        acks: [one.lease],
        releases: [{ lease: "1.a", delay: "1s", reason: "r" }],
        buries: [{ lease: two.lease, reason: "bad" }],
        touches: [{ lease: "1.b", extend: "30s" }],
      },
    });
    assert.deepEqual(await work.next(), {
      settled: {
        sequence: "1",
        failures: [
          { lease: "1.a", reason: "LEASE_LOST" },
          { lease: "1.b", reason: "LEASE_LOST" },
        ],
      },
    });
    work.end();
    assert.equal(await work.next(), undefined);

    const changes: unknown[] = [];
    while (changes.length < 6) {
      const message = plain(await watch.next()) as { event: { change: string } };
      if (message.event.change !== "TASK_CHANGE_TRUNCATED") changes.push(message);
    }
    const event = (change: string, shown: Json) => ({
      event: {
        change: `TASK_CHANGE_${change}`,
        task: { ...common, payload: { text: "a" }, ...shown },
        time: TIME,
      },
    });
    assert.deepEqual(changes, [
      event("PUT", { id: "1", state: "TASK_STATE_READY" }),
      event("PUT", { id: "2", state: "TASK_STATE_READY" }),
      event("TAKEN", { id: "1", state: "TASK_STATE_LEASED", attempt: 1, fence: FENCE }),
      event("TAKEN", { id: "2", state: "TASK_STATE_LEASED", attempt: 1, fence: FENCE }),
      event("ACKED", { id: "1", state: "TASK_STATE_DONE", attempt: 1 }),
      event("BURIED", { id: "2", state: "TASK_STATE_BURIED", attempt: 1, reason: "bad" }),
    ]);
  });
});

/** A call in Connect's form of streams: each message after a byte of flags and its length. */
class JsonStream {
  readonly #stream: ReturnType<ReturnType<typeof connect>["request"]>;
  readonly #chunks: AsyncIterator<Buffer>;
  #unread = Buffer.alloc(0);

  constructor(client: ReturnType<typeof connect>, path: string) {
    this.#stream = client.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/connect+json",
      "connect-protocol-version": "1",
    });
    this.#chunks = this.#stream[Symbol.asyncIterator]();
  }

  send(message: Json): void {
    const json = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(json.length, 1);
    this.#stream.write(Buffer.concat([head, json]));
  }

  end(): void {
    this.#stream.end();
  }

  /** The next message; undefined when the stream has ended well. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  async next(): Promise<any> {
    const head = await this.#read(5);
    const json = JSON.parse((await this.#read(head.readUInt32BE(1))).toString());
    if ((head[0] ?? 0) < 2) return json;
    assert.deepEqual(json, {}, "it ended well");
    return undefined;
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#unread.length < length) {
      const { value, done } = await this.#chunks.next();
      assert.ok(!done, "the stream broke off");
      this.#unread = Buffer.concat([this.#unread, value]);
    }
    const read = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length);
    return read;
  }
}
