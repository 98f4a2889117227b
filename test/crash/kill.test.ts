import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";

const KILLS = 20;
const TUBE = "jobs";

/** What the callers know of the tasks, by their payloads. */
class Ledger {
  /** Put, and nobody heard how it ended. */
  readonly putSent = new Set<string>();
  readonly putAnswered = new Set<string>();
  readonly ackSent = new Set<string>();
  readonly ackAnswered = new Set<string>();
  readonly ids = new Map<bigint, string>();
  #count = 0;

  newPayload(): string {
    const payload = `task ${this.#count++}`;
    this.putSent.add(payload);
    return payload;
  }

  noteId(id: bigint, payload: string): void {
    const known = this.ids.get(id);
    assert.ok(known === undefined || known === payload, `id ${id} was used twice`);
    this.ids.set(id, payload);
  }

  /** Compares with what is there after a restart. */
  check(live: readonly string[]): void {
    const there = new Set(live);
    assert.equal(there.size, live.length, "a task is there twice");
    for (const payload of there) {
      assert.ok(this.putSent.has(payload), `nobody put ${payload}`);
      assert.ok(!this.ackAnswered.has(payload), `${payload} was acked and came back`);
    }
    for (const payload of this.putAnswered) {
      if (this.ackSent.has(payload)) continue;
      assert.ok(there.has(payload), `${payload} was put and is lost`);
    }
  }
}

async function work(client: Client<typeof QueueService>, ledger: Ledger): Promise<void> {
  for (let turn = 0; ; turn++) {
    const payloads = Array.from({ length: 1 + (turn % 7) }, () => ledger.newPayload());
    const tasks = payloads.map((text) => ({
      payload: { content: { case: "text" as const, value: text } },
    }));
    const put = await client.batchPut({ tube: TUBE, tasks });
    for (const [index, payload] of payloads.entries()) {
      ledger.putAnswered.add(payload);
      ledger.noteId(put.ids[index] as bigint, payload);
    }
    const taken = await client.take({ tube: TUBE, maxTasks: 5 });
    const held = taken.tasks.map(({ payload, lease }) => {
      assert.equal(payload?.content.case, "text");
      return { payload: String(payload?.content.value), lease };
    });
    if (held.length === 0) continue;
    for (const { payload } of held) ledger.ackSent.add(payload);
    const acked = await client.batchAck({ leases: held.map(({ lease }) => lease) });
    assert.deepEqual(acked.failures, []);
    for (const { payload } of held) ledger.ackAnswered.add(payload);
  }
}

async function everyTask(client: Client<typeof QueueService>): Promise<string[]> {
  const live: string[] = [];
  let pageToken = "";
  do {
    const page = await client.listTasks({ tube: TUBE, pageSize: 1_000, pageToken });
    for (const task of page.tasks) {
      assert.equal(task.state, TaskState.READY, "a crash leaves no lease");
      live.push(String(task.payload?.content.value));
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return live;
}

test(`killed ${KILLS} times under load, it loses no answered put and brings back no acked task`, async (t) => {
  const folder = temporaryFolder(t);
  const listens = await freeListens();
  const ledger = new Ledger();
  for (let kill = 0; kill <= KILLS; kill++) {
    const usher = await startProcess(t, folder, listens);
    const transport = createGrpcTransport({ baseUrl: `http://${listens.grpc}` });
    const client = createClient(QueueService, transport);
    const kind = TubeKind.FIFO;
    await client.createTube({ tube: { name: TUBE, kind }, ifNotExists: true });
    const live = await everyTask(client);
    ledger.check(live);
    // What the crash left half known is known now.
    for (const payload of ledger.ackSent) {
      if (!live.includes(payload)) ledger.ackAnswered.add(payload);
      else ledger.ackSent.delete(payload);
    }
    if (kill === KILLS) break;

    const answered = ledger.ackAnswered.size;
    const workers = Array.from({ length: 4 }, () => work(client, ledger));
    const outcomes = Promise.allSettled(workers);
    while (ledger.ackAnswered.size < answered + 50) await new Promise(setImmediate);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    assert.equal(await usher.end("SIGKILL"), "SIGKILL");
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, "rejected");
      assert.ok(!(outcome.reason instanceof assert.AssertionError), String(outcome.reason));
    }
  }
  t.diagnostic(`${ledger.putAnswered.size} puts and ${ledger.ackAnswered.size} acks answered`);
});
