import type { MailQueue, QueuedMail } from "./auth/mail-outbox.ts";
import { UsherError } from "./errors.ts";
import type { QueueEngine } from "./queue/engine.ts";
import type { NewTask } from "./queue/putting.ts";

/** The tube for mail cannot be used; the message is one line for the operator. */
export class MailTubeError extends Error {
  override readonly name = "MailTubeError";
}

/**
 * Longer than a crash may keep the server down, so that mail which was queued before it and acked
 * meanwhile is not queued again.
 */
const DEDUP_WINDOW_MS = 7 * 24 * 3_600_000;

const SETTINGS = {
  dedupWindowMs: DEDUP_WINDOW_MS,
  retryBackoff: { initialMs: 1_000, maxMs: 300_000, multiplier: 2 },
} as const;

/**
 * Makes the tube, unless it is there, and puts AuthService's mail into it: a task each, as JSON.
 * Rejects with MailTubeError if the tube that is there does not keep mail safe.
 */
export async function openMailQueue(engine: QueueEngine, tube: string): Promise<MailQueue> {
  try {
    const wanted = { name: tube, kind: "FIFOTTL", temporary: false, settings: SETTINGS } as const;
    const made = await engine.createTube(wanted, true);
    if (made.temporary) throw new MailTubeError(`auth.mail_tube: the tube ${tube} is temporary`);
  } catch (error) {
    if (error instanceof UsherError && error.reason === "TUBE_ALREADY_EXISTS") {
      throw new MailTubeError(`auth.mail_tube: the tube ${tube} is not of kind FIFOTTL`);
    }
    throw error;
  }
  return {
    async put(mails) {
      const options = { waitMs: 0, signal: undefined, field: (index: number) => `tasks[${index}]` };
      await engine.put(tube, mails.map(toTask), options);
    },
  };
}

/** The mail's own id keeps the queue from taking it twice. */
function toTask({ id, mail, ttlMs }: QueuedMail): NewTask {
  const value = JSON.stringify(mail);
  return {
    payload: { format: "json", value, attributes: undefined },
    size: Buffer.byteLength(value),
    dedupKey: id,
    ttlMs,
    priority: undefined,
    delayMs: undefined,
    ttrMs: undefined,
    group: "",
  };
}
