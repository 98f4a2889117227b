import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import type { QueueStore } from "../repository.ts";
import { Deadlines, MOST_AT_ONCE } from "../structures/deadlines.ts";
import { Leases } from "../structures/leases.ts";
import { PayloadCache, payloadBudgets } from "../structures/payload-cache.ts";
import { TaskTable } from "../structures/task-table.ts";
import { Committer } from "./committer.ts";
import { Dedup } from "./dedup.ts";
import type { QueueLimits } from "./limits.ts";
import { NumberReservation } from "./number-reservation.ts";
import { Serving } from "./serving.ts";
import type { ShardPart } from "./shard.ts";
import { TaskPlaces } from "./task-places.ts";
import { TubeDirectory } from "./tube-directory.ts";

export interface Surroundings {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
  readonly log: Log;
  /** Undefined: there is no other engine. */
  readonly shard: ShardPart | undefined;
}

/** Makes what the rules of one engine stand on. `taskDue` is called when a task's time has come. */
export function assemble(surroundings: Surroundings, taskDue: (slot: number) => void) {
  const { store, clock, limits, log, shard } = surroundings;
  const table = new TaskTable();
  const tubes = new TubeDirectory(table);
  const leases = new Leases(shard?.prefix ?? "");
  const committer: Committer = new Committer(store, clock, {
    afterwards: () => serving.advance(),
    // What a failed commit would have kept of numbers and tubes goes into the next.
    failed: (unkept) => {
      numbers.reserve();
      for (const tube of unkept) {
        if (tubes.byNumber.has(tube.number)) committer.keepTube(tube);
      }
    },
  });
  const deadlines = new Deadlines(table, clock, {
    taskDue,
    afterwards: () => serving.serveTouched(),
    isBehind: () => committer.waiting >= MOST_AT_ONCE,
  });
  const serving = new Serving(tubes, deadlines);
  const numbers = new NumberReservation(committer);
  const payloads = new PayloadCache(table, shard?.memory ?? payloadBudgets(limits));
  const dedup = new Dedup(clock, committer, deadlines);
  const places = new TaskPlaces({
    table,
    clock,
    deadlines,
    leases,
    payloads,
    committer,
    dedup,
    serving,
  });
  return {
    store,
    clock,
    log,
    shard,
    table,
    tubes,
    leases,
    committer,
    deadlines,
    serving,
    numbers,
    payloads,
    dedup,
    places,
  };
}
