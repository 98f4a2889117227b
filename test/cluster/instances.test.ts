import assert from "node:assert/strict";
import { test as register, type TestContext } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { type Task, TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { type Instances, startInstanceProcesses, startInstances } from "../support/instances.ts";
import { withoutMongodb } from "../support/mongod.ts";
import { failure, ms, Queue, text, textOf, until } from "../support/queue.ts";
import type { Addresses } from "../support/service.ts";

const test = (name: string, run: (t: TestContext) => Promise<void>) =>
  register(name, { skip: withoutMongodb }, run);

/** A client at one instance; `called` collects the names of the calls. */
function at<S extends DescService>(
  { grpcAddress }: Addresses,
  service: S,
  called: Set<string> = new Set(),
): Client<S> {
  const note: Interceptor = (next) => (request) => {
    called.add(request.method.name);
    return next(request);
  };
  const baseUrl = `http://${grpcAddress}`;
  return createClient(service, createGrpcTransport({ baseUrl, interceptors: [note] }));
}

function unaryCalls(service: DescService): string[] {
  return service.methods
    .filter(({ methodKind }) => methodKind === "unary")
    .map(({ name }) => name)
    .sort();
}

/** Every combination of an instance that is called and a tube of an instance that owns it. */
async function pairs({ all, tubes }: Instances): Promise<{ called: Addresses; tube: string }[]> {
  const names = await tubes(all.length);
  return all.flatMap((called, index) => names.map((some) => ({ called, tube: some[index] ?? "" })));
}

test("every unary call of QueueService does its work through any instance, whoever has the tube", async (t) => {
  const instances = await startInstances(t, 3);
  for (const { called, tube } of await pairs(instances)) {
    const names = new Set<string>();
    await everyQueueCall(at(called, QueueService, names), tube);
    assert.deepEqual([...names].sort(), unaryCalls(QueueService));
  }
});

async function everyQueueCall(client: Client<typeof QueueService>, tube: string): Promise<void> {
  const counts = async () => {
    const { tubes } = await client.getStatistics({ tube });
    const { ready, leased, buried, delayed } = tubes[0]?.tasks ?? assert.fail("no counts");
    return [ready, leased, buried, delayed].map(Number);
  };
  const take = async (maxTasks = 1, session = ""): Promise<Task[]> => {
    const { tasks } = await client.take({ tube, maxTasks, session });
    assert.equal(tasks.length, maxTasks);
    return tasks;
  };
  const leasesOf = (tasks: readonly Task[]): string[] => tasks.map(({ lease }) => lease);

  await client.createTube({ tube: { name: tube, kind: TubeKind.FIFOTTL } });
  await client.updateTube({
    tube: { name: tube, maxAttempts: 9 },
    updateMask: { paths: ["max_attempts"] },
  });
  assert.equal((await client.getTube({ tube })).tube?.maxAttempts, 9);
  const { tubes } = await client.listTubes({ pageSize: 1_000 });
  assert.ok(tubes.some(({ name }) => name === tube));

  assert.equal((await client.put({ tube, task: text("1") })).task?.id, 1n);
  const tasks = ["2", "3", "4", "5", "6"].map((value) => text(value));
  assert.deepEqual((await client.batchPut({ tube, tasks })).ids, [2n, 3n, 4n, 5n, 6n]);
  const [first] = await take();
  assert.equal(textOf(first as Task), "1");
  const lease = first?.lease ?? "";
  await client.touch({ lease, extend: ms(60_000) });
  assert.equal((await client.getTask({ tube, id: 1n })).task?.state, TaskState.LEASED);
  assert.equal((await client.ack({ lease })).task?.state, TaskState.DONE);
  assert.equal(await failure(client.ack({ lease })), "FailedPrecondition LEASE_LOST");

  const acked = await take(2);
  assert.deepEqual((await client.batchAck({ leases: leasesOf(acked) })).failures, []);
  const released = await take(2);
  assert.deepEqual((await client.batchRelease({ leases: leasesOf(released) })).failures, []);
  const [buried] = await take();
  await client.bury({ lease: buried?.lease ?? "", reason: "no use" });
  assert.deepEqual(await counts(), [2, 0, 1, 0]);
  assert.equal((await client.kickTasks({ tube, count: 10 })).count, 1);
  const [delayed] = await take();
  await client.release({ lease: delayed?.lease ?? "", delay: ms(600_000) });
  assert.deepEqual(await counts(), [2, 0, 0, 1]);
  await client.deleteTask({ tube, id: delayed?.id ?? 0n });
  const { tasks: left } = await client.listTasks({ tube, pageSize: 10 });
  assert.equal(left.length, 2);
  await client.buryTask({ tube, id: left[0]?.id ?? 0n });
  await take();
  assert.equal((await client.releaseAll({ tube })).count, 1n);
  await client.pauseTube({ tube });
  assert.deepEqual((await client.take({ tube })).tasks, []);
  await client.resumeTube({ tube });

  const { session } = await client.openSession({ ttl: ms(600_000) });
  const id = session?.id ?? "";
  await take(1, id);
  assert.equal((await client.renewSession({ session: id })).session?.id, id);
  await client.closeSession({ session: id });
  await until(
    async () => String(await counts()) === "1,0,1,0",
    "the lease of the session is released",
  );
  assert.equal((await client.truncateTube({ tube })).count, 2n);
  await client.deleteTube({ tube });
  assert.equal(await failure(client.getTube({ tube })), "NotFound TUBE_NOT_FOUND");
}

test("what one instance does for a user the others know at once", async (t) => {
  const { all } = await startInstances(t, 3, { USHER_AUTH_PASSWORD_MEMORY: "1MiB" });
  const [one, two, three] = all.map((called) => at(called, AuthService)) as [
    Client<typeof AuthService>,
    Client<typeof AuthService>,
    Client<typeof AuthService>,
  ];
  const email = "ann@example.com";
  const password = "Correct horse 1";
  const { activationCode: code } = await one.register({ email });
  await two.completeRegistration({ email, code, password });
  const { user, session, accessToken } = await three.signIn({ email, password });
  const token = session?.token ?? "";
  const userId = user?.id ?? "";
  assert.ok(accessToken);
  assert.equal((await one.checkSession({ token })).user?.id, userId);
  assert.equal((await two.getUser({ key: { case: "userId", value: userId } })).user?.email, email);
  const watch = two.watchRevocations({})[Symbol.asyncIterator]();
  assert.ok((await watch.next()).value?.cursor);
  const told = watch.next();
  await one.revokeSessions({ userId });
  assert.equal((await told).value?.revocation.case, "sessionRevoked");
  await watch.return?.();
  assert.equal(await failure(three.checkSession({ token })), "Unauthenticated NOT_AUTHENTICATED");
  const key = async ({ httpAddress }: Addresses) =>
    (await fetch(`http://${httpAddress}/.well-known/jwks.json`)).json();
  const [first, ...others] = await Promise.all(all.map(key));
  for (const other of others) assert.deepEqual(other, first);
});

test("the streams work through any instance, whoever has the tube", async (t) => {
  const instances = await startInstances(t, 3);
  for (const { called, tube } of await pairs(instances)) {
    const q = Queue.of(called);
    await q.tube(tube, "FIFOTTL");
    const watch = await q.watch(tube);
    const producer = q.produce();
    producer.send({ sequence: 1n, tube, tasks: [text("a"), text("b")] });
    assert.deepEqual((await producer.next())?.ids.length, 2);
    const worker = q.work({ tubes: [tube] });
    const tasks = await worker.take(2);
    assert.deepEqual(tasks.map(textOf), ["a", "b"]);
    worker.settle({ sequence: 1n, acks: tasks.map(({ lease }) => lease) });
    assert.deepEqual(await worker.settled(), { sequence: 1n, failures: {} });
    const changes = await watch.changes(6);
    assert.deepEqual(changes.filter((change) => change === "ACKED DONE").length, 2, `${changes}`);
    producer.halfClose();
    worker.halfClose();
    assert.deepEqual(await producer.rest(), []);
    assert.deepEqual(await worker.rest(), []);
    watch.cancel();
  }
});

test("every instance lists the tubes of all, and tells the statistics of all", async (t) => {
  const instances = await startInstances(t, 3);
  const names = (await instances.tubes(4)).flat();
  const queues = instances.all.map((called) => Queue.of(called));
  for (const [index, name] of names.entries()) {
    const q = queues[index % queues.length] as Queue;
    await q.tube(name);
    await q.put(name, name);
  }
  const sorted = names.toSorted();
  for (const q of queues) {
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await q.client.listTubes({ pageSize: 5, pageToken });
      listed.push(...page.tubes.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(listed, sorted);
    const { tubes } = await q.client.getStatistics({});
    assert.deepEqual(
      tubes.map(({ tube, tasks, calls }) => [tube, tasks?.ready, calls?.put]),
      sorted.map((name) => [name, 1n, 1n]),
    );
  }
});

test("a forwarded call about every tube says from which shards it is to be answered", async (t) => {
  const [one] = (await startInstances(t, 1)).all;
  const { client } = Queue.of(one ?? assert.fail());
  const forwarded = (headers: Record<string, string>) => ({
    headers: { "usher-forwarded": "1", ...headers },
  });
  const refused = "InvalidArgument INVALID_PARAMS usher-shards";
  assert.equal(await failure(client.listTubes({}, forwarded({}))), refused);
  assert.equal(await failure(client.getStatistics({}, forwarded({}))), refused);
  await client.listTubes({}, forwarded({ "usher-shards": "0,63" }));
});

test("a session holds leases of tubes of all instances, and its end releases them all", async (t) => {
  const instances = await startInstances(t, 3);
  const queues = instances.all.map((called) => Queue.of(called)) as [Queue, Queue, Queue];
  const names = (await instances.tubes(2)).flat();
  const [one, two, three] = queues;
  for (const name of names) {
    await one.tube(name);
    await one.put(name, name);
  }
  const { session } = await two.client.openSession({ ttl: ms(600_000) });
  const id = session?.id ?? "";
  for (const [index, name] of names.entries()) {
    await (queues[index % 3] as Queue).take(name, { session: id });
    assert.deepEqual(await three.counts(name), { leased: 1 });
  }
  for (const q of queues) {
    assert.equal((await q.client.renewSession({ session: id })).session?.id, id);
  }
  await three.client.closeSession({ session: id });
  for (const name of names) await one.becomes(name, { ready: 1 });
  for (const q of queues) {
    assert.equal(
      await failure(q.client.renewSession({ session: id })),
      "NotFound SESSION_NOT_FOUND",
    );
  }
});

test("a worker with prefetch 1 gets the tasks of tubes of all instances, and never holds two", async (t) => {
  const instances = await startInstances(t, 3);
  const names = (await instances.tubes(2)).flat();
  const queues = instances.all.map((called) => Queue.of(called));
  const [q] = queues as [Queue];
  const sent = new Set<string>();
  for (const name of names) {
    await q.tube(name);
    for (const value of ["a", "b", "c"]) {
      await q.put(name, `${name} ${value}`);
      sent.add(`${name} ${value}`);
    }
  }
  const worker = q.work({ tubes: names, prefetch: 1 });
  const held = new Set<string>();
  let mostHeld = 0;
  let newest: Task | undefined;
  const settled: bigint[] = [];
  const reading = (async () => {
    for (let message = await worker.message(); message; message = await worker.message()) {
      if (message.case === "settled") {
        assert.deepEqual(message.value.failures, []);
        settled.push(message.value.sequence);
      } else if (message.case === "tasks") {
        for (const task of message.value.tasks) {
          held.add(task.lease);
          newest = task;
        }
        mostHeld = Math.max(mostHeld, held.size);
      }
    }
  })();
  for (let sequence = 1n; sent.size > 0; sequence++) {
    await until(
      () => newest !== undefined,
      () => `a task; missing are ${[...sent]}`,
    );
    const task = newest as unknown as Task;
    assert.ok(sent.delete(textOf(task)), `${textOf(task)} comes once`);
    // Every shard has had its turn before this one is settled: what it sends too early is seen.
    for (const each of queues) await each.client.getStatistics({});
    newest = undefined;
    held.delete(task.lease);
    worker.settle({ sequence, acks: [task.lease] });
  }
  worker.halfClose();
  await reading;
  assert.equal(mostHeld, 1);
  assert.equal(settled.length, names.length * 3);
});

test("instances in processes of their own share the shards, and the rest takes over from one that is killed", async (t) => {
  const instances = await startInstanceProcesses(t, 3, { USHER_CLUSTER_LIFE: "2s" });
  const names = await instances.tubes(2);
  const [killed, ...rest] = instances.all;
  assert.ok(killed);
  const [q, other] = rest.map((called) => Queue.of(called)) as [Queue, Queue];
  for (const name of names.flat()) {
    await q.tube(name);
    await Queue.of(killed).put(name, name);
  }
  assert.equal(await killed.end("SIGKILL"), "SIGKILL");
  await instances.spread(rest);
  for (const name of names.flat()) {
    assert.equal(textOf(await other.take(name, { wait: 10_000 })), name);
  }
});
