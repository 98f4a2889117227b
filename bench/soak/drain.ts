import { ackByCall, receive } from "./deliveries.ts";
import { Connection, pause, type World } from "./world.ts";

/** Longer than any delay, lease or session of the soak, but for the leases of untimed tubes. */
const LIMIT_MS = 90_000;
const BATCH = 1_000;

/** Takes and acks all that is left, buried tasks too, and closes the ledgers. Answers faults. */
export async function drain(world: World): Promise<string[]> {
  const connection = new Connection(world);
  const { queue } = connection;
  const giveUpAt = performance.now() + LIMIT_MS;
  const faults: string[] = [];
  for (const { name, ledger } of world.tubes) {
    for (;;) {
      await queue.kickTasks({ tube: name, count: BATCH });
      const { tasks } = await queue.take({ tube: name, maxTasks: BATCH });
      await ackByCall(world, queue, receive(world, tasks));
      const { tubes } = await queue.getStatistics({ tube: name });
      const left = tubes[0]?.tasks?.total ?? 0n;
      if (left === 0n) break;
      if (performance.now() > giveUpAt) {
        faults.push(`${name} cannot be drained: ${left} tasks are left`);
        break;
      }
      if (tasks.length === 0) await pause(100);
    }
    ledger.finish();
  }
  connection.die();
  return faults;
}
