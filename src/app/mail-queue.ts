import type { MailQueue, QueuedMail } from "../auth/mail/mail-outbox.ts";
import { UsherError } from "../base/errors.ts";
import type { NewTask } from "../queue/rules/new-task.ts";
import type { PutOptions } from "../queue/rules/putting.ts";
import type { NewTube, TubeView } from "../queue/rules/tube-operations.ts";

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

/** What mail needs of the queues. */
export interface MailTubes {
  createTube(
    tube: Omit<NewTube, "settings"> & { readonly settings: typeof SETTINGS },
    ifNotExists: boolean,
  ): Promise<Pick<TubeView, "temporary">>;
  put(tube: string, tasks: readonly NewTask[], options: PutOptions): Promise<unknown>;
}

/** A mail queue that waits for its tube. The tube can only be made when the queues serve. */
export class DeferredMailQueue implements MailQueue {
  readonly #opened = Promise.withResolvers<MailQueue>();

  constructor() {
    // Those who put mail are told of the failure.
    this.#opened.promise.catch(() => {});
  }

  open(queue: MailQueue): void {
    this.#opened.resolve(queue);
  }

  fail(error: unknown): void {
    this.#opened.reject(error);
  }

  async put(mails: readonly QueuedMail[]): Promise<void> {
    await (await this.#opened.promise).put(mails);
  }
}

/**
 * Makes the tube, unless it is there, and puts AuthService's mail into it: a task each, as JSON.
 * Rejects with MailTubeError if the tube that is there does not keep mail safe.
 */
export async function openMailQueue(tubes: MailTubes, tube: string): Promise<MailQueue> {
  try {
    const wanted = { name: tube, kind: "FIFOTTL", temporary: false, settings: SETTINGS } as const;
    const made = await tubes.createTube(wanted, true);
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
      await tubes.put(tube, mails.map(toTask), options);
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
