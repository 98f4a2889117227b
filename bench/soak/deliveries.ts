import type { LeaseFailure, Task } from "../../gen/usher/queue/v1/task_pb.ts";
import type { Delivery } from "./ledger.ts";
import { chance, type QueueClient, type SoakTube, type World } from "./world.ts";

/** A task in a worker's hands. */
export interface Held {
  readonly tube: SoakTube;
  readonly delivery: Delivery;
  readonly lease: string;
}

/** What a worker does with a task. "leave" is to do nothing until the lease ends. */
export type Way = "ack" | "touch" | "release" | "bury" | "leave";

/** Most are acked. */
export function chooseWay({ timed }: SoakTube): Way {
  if (chance(0.03)) return "touch";
  if (chance(0.05)) return "release";
  if (chance(0.02)) return "bury";
  // Without a ttr a lease lasts longer than anybody here waits.
  if (timed && chance(0.02)) return "leave";
  return "ack";
}

/** Tells the ledgers what has come. */
export function receive(world: World, tasks: readonly Task[]): Held[] {
  return tasks.map(({ tube: name, id, fence, group, lease, payload }) => {
    const tube = tubeOf(world, name);
    const key = String(payload?.content.value);
    const delivery = { key, id, fence, group: tube.ordered ? group : undefined };
    tube.ledger.delivered(delivery);
    world.counts.takes++;
    return { tube, delivery, lease };
  });
}

/** To be called before acks are sent. */
export function sendingAcks(held: readonly Held[]): void {
  for (const { tube, delivery } of held) tube.ledger.ackSent(delivery);
}

/** To be called with the answer to acks. */
export function acksAnswered(
  world: World,
  held: readonly Held[],
  failures: readonly LeaseFailure[],
): void {
  const refused = new Set(failures.map(({ lease }) => lease));
  for (const { tube, delivery, lease } of held) {
    if (refused.has(lease)) {
      tube.ledger.ackRefused(delivery);
    } else {
      tube.ledger.ackAnswered(delivery);
      world.counts.acks++;
    }
  }
}

/** Acks by a call of their own. Rejects where nobody knows what became of them. */
export async function ackByCall(
  world: World,
  queue: QueueClient,
  held: readonly Held[],
): Promise<void> {
  if (held.length === 0) return;
  sendingAcks(held);
  const { failures } = await queue.batchAck({ leases: held.map(({ lease }) => lease) });
  acksAnswered(world, held, failures);
}

/** To be called before burials and delayed releases are sent. */
export function sendingAway({ tube, delivery }: Held): void {
  tube.ledger.steppingOut(delivery);
}

export function tubeOf({ tubes }: World, name: string): SoakTube {
  const tube = tubes.find((one) => one.name === name);
  if (tube === undefined) throw new Error(`there is no tube ${name}`);
  return tube;
}
