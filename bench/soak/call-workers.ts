import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { BuryTask, ReleaseTask, UsherClient } from "../../src/client/index.ts";
import {
  ackByCall,
  acksAnswered,
  chooseWay,
  type Held,
  receive,
  sendingAcks,
  sendingAway,
  tubeOf,
} from "./deliveries.ts";
import { between, Connection, chance, pause, pick, refusalOf, type World } from "./world.ts";

/** The shortest that there is. */
const SESSION_MS = 1_000;

/** Takes in sessions, many tasks a call; now and then it lets a session lapse with all it holds. */
export async function workInSessions(world: World): Promise<void> {
  while (world.working) {
    const connection = new Connection(world);
    try {
      await workOneSession(world, connection);
    } catch {
      await pause(between(50, 200));
    }
    connection.die();
  }
}

async function workOneSession(world: World, { queue }: Connection): Promise<void> {
  const { session } = await queue.openSession({ ttl: durationFromMs(SESSION_MS) });
  const id = session?.id ?? "";
  for (let turn = between(5, 100); turn > 0 && world.working; turn--) {
    const { tasks } = await queue.take({
      tube: pick(world.tubes).name,
      maxTasks: between(1, 30),
      wait: durationFromMs(200),
      session: id,
    });
    const held = receive(world, tasks);
    if (chance(0.02)) {
      world.counts.lapses++;
      await pause(2 * SESSION_MS);
      // Too late: these acks must be refused, or be the only ones.
      await ackByCall(world, queue, held);
      return;
    }
    await ackByCall(world, queue, held);
  }
  await queue.closeSession({ session: id });
}

/** Takes one task at a time and settles it by the call for it. */
export async function workByCalls(world: World): Promise<void> {
  let connection = new Connection(world);
  while (world.working) {
    try {
      const tube = pick(world.tubes).name;
      const { tasks } = await connection.queue.take({ tube, wait: durationFromMs(200) });
      for (const held of receive(world, tasks)) await settleByCall(world, connection, held);
    } catch (error) {
      if (refusalOf(error) !== undefined) continue;
      await pause(between(50, 200));
      connection.die();
      connection = new Connection(world);
    }
  }
  connection.die();
}

async function settleByCall(world: World, { queue }: Connection, held: Held): Promise<void> {
  const { lease, tube } = held;
  const way = chooseWay(tube);
  if (way === "leave") return;
  if (way === "bury") {
    sendingAway(held);
    await queue.bury({ lease, reason: "aside" });
    return;
  }
  if (way === "release") {
    if (tube.timed) sendingAway(held);
    await queue.release({ lease, ...(tube.timed ? { delay: durationFromMs(500) } : {}) });
    return;
  }
  if (way === "touch") await queue.touch({ lease, extend: durationFromMs(500) });
  sendingAcks([held]);
  try {
    await queue.ack({ lease });
  } catch (error) {
    if (refusalOf(error) === undefined) throw error;
    held.tube.ledger.ackRefused(held.delivery);
    return;
  }
  acksAnswered(world, [held], []);
}

/** Works by the client library, which tells nobody what became of an ack. */
export async function workByLibrary(world: World): Promise<void> {
  while (world.working) {
    await using client = UsherClient.connect(pick(world.addresses));
    await using _worker = client.worker({
      tubes: world.tubes.map(({ name }) => name),
      concurrency: 5,
      prefetch: 20,
      ...(chance(0.5) ? { sessionTtlMs: 2_000 } : {}),
      onError: () => {},
      async handler({ tube: name, payload, id, fence, group }) {
        const tube = tubeOf(world, name);
        const delivery = {
          key: String(payload),
          id,
          fence,
          group: tube.ordered ? group : undefined,
        };
        const held = { tube, delivery, lease: "" };
        tube.ledger.delivered(delivery);
        world.counts.takes++;
        await pause(between(0, 20));
        const way = chooseWay(tube);
        if (way === "bury") {
          sendingAway(held);
          throw new BuryTask("aside");
        }
        if (way === "release" || way === "leave") {
          if (tube.timed) sendingAway(held);
          throw new ReleaseTask("again", { delayMs: tube.timed ? 300 : 0 });
        }
        sendingAcks([held]);
      },
    });
    for (let turn = between(50, 200); turn > 0 && world.working; turn--) await pause(100);
  }
}
