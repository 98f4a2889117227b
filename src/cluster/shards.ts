import { SHARDS } from "./registry.ts";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The shard of a tube: FNV-1a of its name. It decides where tasks are kept, so it never changes.
 */
export function shardOfTube(name: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), FNV_PRIME);
  }
  return (hash >>> 0) % SHARDS;
}

/** What lease tokens and session ids of a shard begin with. */
export function prefixOf(shard: number): string {
  return `${shard.toString(36)}-`;
}

const PREFIX = /^([0-9a-z]{1,2})-/;

/** The shard that gave out a lease token or a session id; undefined if none did. */
export function shardOfToken(token: string): number | undefined {
  const digits = PREFIX.exec(token)?.[1];
  if (digits === undefined) return undefined;
  const shard = Number.parseInt(digits, 36);
  return shard < SHARDS && prefixOf(shard) === `${digits}-` ? shard : undefined;
}
