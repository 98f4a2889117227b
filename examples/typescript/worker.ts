/**
 * Sends the mails that producer.ts puts, until SIGTERM or Ctrl-C.
 * Run it with: npx node examples/typescript/worker.ts
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { BuryTask, UsherClient } from "usher/client";

const { values } = parseArgs({
  options: { address: { type: "string", default: "127.0.0.1:50051" } },
});

async function sendMail(to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  console.log(`sent to ${to}`);
}

const client = UsherClient.connect(values.address);
client.worker({
  tubes: ["mail"],
  concurrency: 20,
  async handler({ payload }, { signal }) {
    const { to } = payload as { to?: string };
    // Trying again would not help: it waits for an operator.
    if (to === undefined) throw new BuryTask("the mail has no address");
    // Whatever this throws gives the task back, to be tried again after the tube's back-off.
    await sendMail(to, signal);
  },
  onError: (error, task) => console.error(task === undefined ? "" : `task ${task.id}:`, error),
});

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
// Handlers that run may finish; what waits for its turn goes back to the tube.
await client.close();
