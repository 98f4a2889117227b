import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { MailSteps, NewMail } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { type Mail, openMail } from "./mail-messages.ts";

/** Where mail waits for whoever sends it. */
export interface MailQueue {
  /**
   * Takes mail, all of it or none, durable when the promise resolves. Mail with an id that was
   * taken before is passed over.
   */
  put(mails: readonly QueuedMail[]): Promise<void>;
}

export interface QueuedMail {
  readonly id: string;
  readonly mail: Mail;
  /** After so many milliseconds it has lost its use; undefined for never. */
  readonly ttlMs: number | undefined;
}

/**
 * Carries mail from the outbox into the queue. A step has kept it in the outbox, in the transaction
 * of its change. It leaves the outbox when its put is durable. If the process ends in between it is
 * put once more, and the queue knows its id. So no mail is lost and none comes twice.
 */
export interface MailRelay {
  /** There is mail. Returns at once. */
  poke(): void;
  /** Ends after the mail that is under way. The rest waits for the next start. */
  close(): Promise<void>;
}

const BATCH = 100;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export function createMailRelay(parts: {
  readonly repository: MailSteps;
  readonly queue: MailQueue;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Log;
}): MailRelay {
  const { repository, queue, sealer, clock, log } = parts;
  let closed = false;
  let poked = false;
  let running: Promise<void> | undefined;
  let retryMs = FIRST_RETRY_MS;
  let cancelRetry = (): void => {};

  async function carryAll(): Promise<void> {
    while (poked && !closed) {
      poked = false;
      try {
        while (!closed && (await carry()) === BATCH);
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        log.warn({ err: error, retryMs }, "mail could not be queued; it waits");
        cancelRetry = clock.after(retryMs, poke);
        retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
      }
    }
  }

  /** Returns how many mails it looked at. */
  async function carry(): Promise<number> {
    const waiting = await repository.listMail(BATCH);
    if (waiting.length === 0) return 0;
    const queued = waiting.flatMap((mail) => toQueued(mail) ?? []);
    if (queued.length > 0) await queue.put(queued);
    await repository.removeMail(waiting.map(({ id }) => id));
    return waiting.length;
  }

  /** Undefined for mail that is of no use any more. */
  function toQueued(waiting: NewMail): QueuedMail | undefined {
    const { id, expireTime } = waiting;
    const ttlMs = expireTime === undefined ? undefined : expireTime - clock.now();
    if (ttlMs !== undefined && ttlMs <= 0) return undefined;
    const mail = openMail(sealer, waiting);
    if (mail === undefined) {
      log.error({ mailId: id }, "mail is dropped: the key that sealed it is gone");
      return undefined;
    }
    return { id, mail, ttlMs };
  }

  function poke(): void {
    poked = true;
    if (running !== undefined || closed) return;
    cancelRetry();
    running = carryAll().finally(() => {
      running = undefined;
    });
  }

  return {
    poke,
    async close() {
      closed = true;
      cancelRetry();
      await running;
    },
  };
}
