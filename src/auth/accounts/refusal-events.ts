import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { AuditSteps, NewAuditEvent } from "../repository.ts";
import { networkOf } from "./attempt-limiter.ts";

/** Refusals that are alike become one event in so many milliseconds. */
const EVERY_MS = 60_000;
/** How many kinds of refusals are told apart at a time; with it, how many events a minute has. */
const MOST_KINDS = 1_000;

/**
 * Keeps events of refusals, which anyone can cause without end. The first one is written at once.
 * Others that are alike are counted, and written a minute later as one event: the last of them,
 * with their count. Alike are those of one type, reason and provider and of one user; without a
 * user, of one network. The counts are of this process. A crash loses those of the last minute.
 *
 * Wrong passwords of a user are events of their own: the limit of attempts bounds them.
 */
export interface RefusalEvents {
  /** Writes the event, or counts it. */
  record(event: NewAuditEvent): Promise<void>;
  /** The event to write in a step of the caller's; undefined if it was counted. */
  take(event: NewAuditEvent): NewAuditEvent | undefined;
  /** Writes what has been counted. */
  close(): Promise<void>;
}

/** Refusals that are alike, since the last event of them. */
interface Counted {
  last: NewAuditEvent;
  count: number;
  cancel: () => void;
}

export function createRefusalEvents(parts: {
  readonly repository: AuditSteps;
  readonly clock: Clock;
  readonly log: Log;
}): RefusalEvents {
  const { repository, clock, log } = parts;
  const kinds = new Map<string, Counted>();
  let closed = false;
  let writing: Promise<void> = Promise.resolve();

  function take(event: NewAuditEvent): NewAuditEvent | undefined {
    if (closed || (event.reason === "WRONG_PASSWORD" && isOfUser(event))) return event;
    let told = event;
    let kind = kindOf(told);
    if (!kinds.has(kind) && kinds.size >= MOST_KINDS) {
      told = withoutDetails(event);
      kind = kindOf(told);
    }
    const counted = kinds.get(kind);
    if (counted === undefined) {
      const fresh = { last: told, count: 0, cancel() {} };
      kinds.set(kind, fresh);
      wait(kind, fresh);
      return told;
    }
    counted.last = told;
    counted.count++;
    return undefined;
  }

  function wait(kind: string, counted: Counted): void {
    counted.cancel = clock.after(EVERY_MS, () => {
      if (counted.count === 0) {
        kinds.delete(kind);
        return;
      }
      wait(kind, counted);
      writing = writing.then(() => write(counted));
    });
  }

  async function write(counted: Counted): Promise<void> {
    const { last, count } = counted;
    if (count === 0) return;
    counted.count = 0;
    try {
      await repository.recordEvent({ ...last, time: clock.now(), count });
    } catch (error) {
      counted.count += count;
      log.warn({ err: error, count }, "refusals could not be written; they are counted further");
    }
  }

  return {
    take,

    async record(event) {
      const due = take(event);
      if (due !== undefined) await repository.recordEvent(due);
    },

    async close() {
      closed = true;
      for (const { cancel } of kinds.values()) cancel();
      await writing;
      for (const counted of kinds.values()) await write(counted);
      kinds.clear();
    },
  };
}

function kindOf(event: NewAuditEvent): string {
  const { type, reason, provider = "", userId = "", address = "" } = event;
  const network = isOfUser(event) ? "" : networkOf(address);
  return JSON.stringify([type, reason, provider, userId, network]);
}

function isOfUser({ userId = "" }: NewAuditEvent): boolean {
  return userId !== "";
}

/** What is left to be told where too many kinds come at a time. Of these there are few. */
function withoutDetails({ type, reason = "", time }: NewAuditEvent): NewAuditEvent {
  return { type, reason, time };
}
