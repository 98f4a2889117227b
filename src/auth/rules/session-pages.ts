import type { Session, SessionPage, SessionPlace, SessionQuery } from "../repository.ts";

/** How many sessions a store reads for a page: one more than it has tells whether there are more. */
export function readForPage({ limit }: SessionQuery): number {
  return limit + 1;
}

/** The page that is made of the records which a store has read. */
export function sessionPage<T>(
  found: readonly T[],
  { limit }: SessionQuery,
  toSession: (record: T) => Session,
  placeOf: (record: T) => SessionPlace,
): SessionPage {
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  return { sessions: page.map(toSession), next: last && placeOf(last) };
}
