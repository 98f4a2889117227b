import type { Clock } from "../../base/clock.ts";
import type { QueueStore, Recovery, TaskRecord, TubeRecord } from "../repository.ts";
import type { Lease, Leases, Session } from "../structures/leases.ts";
import { type State, state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Committer } from "./committer.ts";
import type { Dedup } from "./dedup.ts";
import type { NumberReservation } from "./number-reservation.ts";
import type { Sessions } from "./sessions.ts";
import type { TaskPlaces } from "./task-places.ts";
import { Tube } from "./tube.ts";
import type { TubeDirectory } from "./tube-directory.ts";
import type { TubeOperations } from "./tube-operations.ts";
import { keptInEngineTime, recoveryInEngineTime } from "./wall-times.ts";

interface Parts {
  readonly clock: Clock;
  readonly store: QueueStore;
  readonly table: TaskTable;
  readonly committer: Committer;
  readonly dedup: Dedup;
  readonly numbers: NumberReservation;
  readonly tubes: TubeDirectory;
  readonly leases: Leases;
  readonly places: TaskPlaces;
}

/** Brings back what the store kept, before anyone is served. */
export async function recover(
  parts: Parts,
  tubes: TubeOperations,
  sessions: Sessions,
): Promise<void> {
  const now = parts.clock.monotonic();
  const recovery: Recovery = {
    marks: (marks) => parts.numbers.restore(marks),
    tube: (record) => {
      const tube = recoverTube(parts, record);
      tubes.restorePause(tube);
    },
    task: (record) => recoverTask(parts, record, now),
    dedup: ({ tube: number, key, id, until }) => {
      const tube = parts.tubes.byNumber.get(number);
      if (tube !== undefined) parts.dedup.restore(tube, key, id, until);
    },
  };
  await parts.store.open(recoveryInEngineTime(recovery, parts.clock.wallOffset));
  await recoverLeases(parts, sessions);
  // Fences must be reserved before the first take.
  parts.numbers.reserve();
  await parts.committer.commit();
}

function recoverTube(parts: Parts, record: TubeRecord): Tube {
  const tube = new Tube(record, parts.table);
  parts.tubes.byName.set(tube.name, tube);
  parts.tubes.byNumber.set(tube.number, tube);
  return tube;
}

function recoverTask(parts: Parts, record: TaskRecord, now: number): void {
  const { table } = parts;
  const tube = parts.tubes.byNumber.get(record.tube);
  if (tube === undefined) {
    // Its tube was deleted while it was on its way to the store.
    const { changes } = parts.committer;
    changes.removes.push(record.key);
    changes.removedBytes += record.size;
    return;
  }
  const slot = table.allocate();
  table.key[slot] = record.key;
  table.id[slot] = record.id;
  table.createdAt[slot] = record.createdAt;
  table.ttrMs[slot] = record.ttrMs;
  table.tube[slot] = tube.number;
  table.priority[slot] = record.priority;
  table.size[slot] = record.size;
  parts.places.setProgress(slot, record);
  const waiting = record.readyAt > now ? state.DELAYED : state.READY;
  const is: State = record.buried ? state.BURIED : waiting;
  table.state[slot] = is;
  (tube.counts[is] as number)++;
  tube.index.append(record.id, slot);
  tube.order.join(slot, record.group);
  if (record.dedupKey !== "") {
    table.dedupKey.set(slot, record.dedupKey);
    parts.dedup.restoreAlive(tube, record.dedupKey, record.id);
  }
  parts.places.place(tube, slot);
}

/** Leases of a clean stop are held again. Those whose time is over end as leases do. */
async function recoverLeases(parts: Parts, sessions: Sessions): Promise<void> {
  const records = await parts.store.loadLeases();
  const kept = keptInEngineTime(records, parts.clock.monotonic(), parts.clock.wallOffset);
  for (const record of kept.sessions) sessions.restore(record);
  for (const record of kept.leases) {
    const tube = parts.tubes.byNumber.get(record.tube);
    const slot = tube?.index.find(record.id) ?? -1;
    if (tube === undefined || slot === -1 || parts.table.state[slot] !== state.READY) continue;
    const session: Session | undefined = sessions.find(record.session);
    const lease: Lease = {
      token: record.token,
      slot,
      fence: record.fence,
      // Without its session the lease is over.
      deadline: record.session !== "" && session === undefined ? 0 : record.deadline,
      session,
      holder: undefined,
      // What was begun is not kept.
      begun: true,
    };
    parts.places.displace(tube, slot);
    tube.order.occupy(slot);
    parts.table.attempts[slot] = record.attempts;
    parts.table.lease[slot] = lease;
    parts.leases.add(lease);
    session?.leases.add(lease);
    parts.places.setState(tube, slot, "take", state.LEASED);
    parts.places.place(tube, slot);
  }
}
