/**
 * Sends the mail that Usher queues with `auth.mail_tube` set, by SMTP, until SIGTERM or Ctrl-C.
 * Run it with: npx node examples/mail-worker/main.ts --smtp smtp://127.0.0.1:1025
 *
 * A mail goes out once, unless the worker is killed between the SMTP server's answer and the ack:
 * then twice, with the same Message-ID.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { createTransport } from "nodemailer";
import { BuryTask, UsherClient } from "usher/client";
import { compose, type Mail } from "./compose.ts";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    tube: { type: "string", default: "mail" },
    // With user and password as in smtps://user:password@smtp.example.com
    smtp: { type: "string", default: "smtp://127.0.0.1:1025" },
    from: { type: "string", default: "no-reply@example.com" },
    site: { type: "string", default: "https://www.example.com" },
  },
});

const smtp = createTransport({ url: values.smtp, pool: true });

async function send(mail: Mail, messageId: string): Promise<void> {
  const letter = compose(mail, values.site);
  if (letter === undefined) throw new BuryTask(`no words for a mail of kind ${mail.kind}`);
  try {
    await smtp.sendMail({ ...letter, from: values.from, messageId });
  } catch (error) {
    const { responseCode = 0, message } = error as { responseCode?: number; message: string };
    // The server will never take it: it waits for an operator. Anything else is tried again.
    if (responseCode >= 500) throw new BuryTask(message);
    throw error;
  }
}

const client = UsherClient.connect(values.address);
client.worker({
  tubes: [values.tube],
  concurrency: 5,
  async handler({ tube, id, payload }) {
    await send(payload as Mail, `<${tube}-${id}@${new URL(values.site).hostname}>`);
  },
  onError: ({ message }, task) => console.error(task ? `mail ${task.id}: ${message}` : message),
});
console.log(`sending the mail of tube ${values.tube} by ${new URL(values.smtp).host}`);

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await client.close();
smtp.close();
