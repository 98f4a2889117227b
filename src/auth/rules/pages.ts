import type { Session, SessionPage, SessionPlace, SessionQuery } from "../repository.ts";

/** How many records are read for a page: one more than it has tells whether there are more. */
export function readForPage(limit: number): number {
  return limit + 1;
}

/** Cuts what was read to the page. `last` is the record that others follow; undefined at the end. */
export function cutPage<T>(
  found: readonly T[],
  limit: number,
): { readonly page: readonly T[]; readonly last: T | undefined } {
  const page = found.slice(0, limit);
  return { page, last: found.length > limit ? page.at(-1) : undefined };
}

/** The page that is made of the records which a store has read. */
export function sessionPage<T>(
  found: readonly T[],
  { limit }: SessionQuery,
  toSession: (record: T) => Session,
  placeOf: (record: T) => SessionPlace,
): SessionPage {
  const { page, last } = cutPage(found, limit);
  return { sessions: page.map(toSession), next: last && placeOf(last) };
}
