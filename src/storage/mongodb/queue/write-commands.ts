import type { Document } from "mongodb";
import { collections } from "./schema.ts";
import type { Writes } from "./writes.ts";

/**
 * What one command may hold. MongoDB takes 48 MB and 100,000 writes; the driver builds each message
 * in a buffer of 17 MiB and fails on a larger one.
 */
const COMMAND_BYTES = 16 * 1024 * 1024;
const COMMAND_WRITES = 50_000;

const verbs = {
  insert: { operand: "documents", ordered: false },
  update: { operand: "updates", ordered: true },
  delete: { operand: "deletes", ordered: true },
} as const;

type Part = Exclude<keyof Writes, "shard">;

/** The order in which a commit is written: inserts, then updates in their order, then removals. */
const steps: readonly [part: Part, verb: keyof typeof verbs, collection: string][] = [
  ["tubes", "update", collections.tubes],
  ["inserts", "insert", collections.tasks],
  ["updates", "update", collections.tasks],
  ["removes", "delete", collections.tasks],
  ["removedDedup", "delete", collections.dedupKeys],
  ["dedup", "update", collections.dedupKeys],
  ["removedTubes", "delete", collections.tubes],
  ["removedTubesDedup", "delete", collections.dedupKeys],
  ["removedLeases", "delete", collections.keptLeases],
  ["removedSessions", "delete", collections.keptSessions],
  ["leases", "insert", collections.keptLeases],
  ["sessions", "insert", collections.keptSessions],
];

/** The commands that write these, which may be of several shards; not the shards' own documents. */
export function commandsOf(all: readonly Writes[]): Document[] {
  const commands: Document[] = [];
  for (const [part, verb, collection] of steps) {
    const { operand, ordered } = verbs[verb];
    let items: Document[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (items.length > 0) commands.push({ [verb]: collection, ordered, [operand]: items });
      items = [];
      bytes = 0;
    };
    for (const writes of all) {
      const { items: more, bytes: sizes } = writes[part];
      for (let index = 0; index < more.length; index++) {
        const size = sizes[index] as number;
        if (bytes + size > COMMAND_BYTES || items.length === COMMAND_WRITES) flush();
        items.push(more[index] as Document);
        bytes += size;
      }
    }
    flush();
  }
  return commands;
}
