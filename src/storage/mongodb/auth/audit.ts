import type { Filter } from "mongodb";
import type { AuditEvent, AuditQuery, AuditSteps } from "../../../auth/repository.ts";
import { wholeEvent } from "../../../auth/rules/audit-events.ts";
import type { EventDocument } from "./schema.ts";
import { nextTimeOrderedId } from "./time-ordered-ids.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./transactions.ts";

export function auditSteps({ step, alone }: AuthTransactions): AuditSteps {
  return {
    recordEvent: (event) =>
      step(async (transaction) => {
        transaction.events.push(event);
      }),
    listEvents: (query) => alone((reader) => listEvents(reader, query)),
  };
}

/** Writes the events that a transaction has collected. */
export async function insertEvents({ in: { events }, ...transaction }: AuthTransaction) {
  if (transaction.events.length === 0) return;
  const documents = transaction.events.map(
    (event): EventDocument => ({ ...wholeEvent(event), _id: nextTimeOrderedId() }),
  );
  await events.insertMany(documents, transaction.options);
}

async function listEvents(
  { in: { events }, options }: AuthReader,
  query: AuditQuery,
): Promise<AuditEvent[]> {
  const { limit, after, userId, startTime = 0, endTime = Number.MAX_SAFE_INTEGER } = query;
  const ofUser: Filter<EventDocument> = userId === undefined ? {} : { userId };
  const page = { ...options, sort: { time: -1, _id: -1 } } as const;
  const list = (filter: Filter<EventDocument>, most: number) =>
    events.find({ ...ofUser, ...filter }, { ...page, limit: most }).toArray();

  // First come the other events of the millisecond at which the page before ended, then earlier
  // ones. Each is one range of the index, which one query for both would not be.
  const found: EventDocument[] = [];
  const goesOn = after !== undefined && after.time < endTime;
  if (goesOn && after.time >= startTime) {
    found.push(...(await list({ time: after.time, _id: { $lt: Number(after.id) } }, limit)));
  }
  if (found.length < limit) {
    const before = goesOn ? after.time : endTime;
    found.push(...(await list({ time: { $gte: startTime, $lt: before } }, limit - found.length)));
  }
  return found.map(({ _id, ...event }) => ({ id: String(_id), ...event, count: event.count ?? 1 }));
}
