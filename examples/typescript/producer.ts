/**
 * Puts a mail to send for each name that is given.
 * Run it with: npx node examples/typescript/producer.ts ada grace
 */
import { parseArgs } from "node:util";
import { durationFromMs, TubeKind, UsherClient } from "usher/client";

const { values, positionals } = parseArgs({
  options: { address: { type: "string", default: "127.0.0.1:50051" } },
  allowPositionals: true,
});

await using client = UsherClient.connect(values.address);
await client.queue.createTube({
  tube: {
    name: "mail",
    kind: TubeKind.FIFOTTL,
    maxAttempts: 5,
    retryBackoff: { initial: durationFromMs(1_000) },
    // Twice the same key within a day is one mail.
    dedupWindow: durationFromMs(24 * 3_600_000),
  },
  ifNotExists: true,
});

const producer = client.producer();
const puts = positionals.map(async (name) => {
  const task = { payload: { to: `${name}@example.com` }, dedupKey: `welcome ${name}` };
  const { id, duplicate } = await producer.put("mail", task);
  console.log(`${name}: task ${id}${duplicate ? ", which was there already" : ""}`);
});
await Promise.all(puts);
