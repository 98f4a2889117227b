import type { TaskRecord, TubeRecord } from "../repository.ts";
import type { Core } from "./core.ts";
import type { Lease } from "./leases.ts";
import type { Session, Sessions } from "./sessions.ts";
import { type State, state } from "./transitions.ts";
import { Tube } from "./tube.ts";
import type { Tubes } from "./tubes.ts";

/** Brings back what the store kept, before anyone is served. */
export async function recover(core: Core, tubes: Tubes, sessions: Sessions): Promise<void> {
  const now = core.clock.now();
  await core.store.open({
    marks: (marks) => core.numbers.restore(marks),
    tube: (record) => {
      const tube = recoverTube(core, record);
      tubes.restorePause(tube);
    },
    task: (record) => recoverTask(core, record, now),
    dedup: ({ tube: number, key, id, until }) => {
      const tube = core.tubesByNumber.get(number);
      if (tube !== undefined) core.dedup.restore(tube, key, id, until);
    },
  });
  await recoverLeases(core, sessions);
  // Fences must be reserved before the first take.
  core.numbers.reserve();
  await core.commit();
}

function recoverTube(core: Core, record: TubeRecord): Tube {
  const tube = new Tube(record, core.table);
  core.tubes.set(tube.name, tube);
  core.tubesByNumber.set(tube.number, tube);
  return tube;
}

function recoverTask(core: Core, record: TaskRecord, now: number): void {
  const { table } = core;
  const tube = core.tubesByNumber.get(record.tube);
  if (tube === undefined) {
    // Its tube was deleted while it was on its way to the store.
    core.committer.changes.removes.push(record.key);
    core.committer.changes.removedBytes += record.size;
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
  core.setProgress(slot, record);
  const waiting = record.readyAt > now ? state.DELAYED : state.READY;
  const is: State = record.buried ? state.BURIED : waiting;
  table.state[slot] = is;
  (tube.counts[is] as number)++;
  tube.log.append(record.id, slot);
  tube.order.join(slot, record.group);
  if (record.dedupKey !== "") {
    table.dedupKey.set(slot, record.dedupKey);
    core.dedup.restoreAlive(tube, record.dedupKey, record.id);
  }
  core.place(tube, slot);
}

/** Leases of a clean stop are held again; those that ended meanwhile end as leases do. */
async function recoverLeases(core: Core, sessions: Sessions): Promise<void> {
  const kept = await core.store.loadLeases();
  for (const record of kept.sessions) sessions.restore(record);
  for (const record of kept.leases) {
    const tube = core.tubesByNumber.get(record.tube);
    const slot = tube?.log.find(record.id) ?? -1;
    if (tube === undefined || slot === -1 || core.table.state[slot] !== state.READY) continue;
    const session: Session | undefined = sessions.find(record.session);
    const lease: Lease = {
      token: record.token,
      slot,
      fence: record.fence,
      // Without its session the lease is over.
      deadline: record.session !== "" && session === undefined ? 0 : record.deadline,
      session,
      holder: undefined,
    };
    core.displace(tube, slot);
    tube.order.occupy(slot);
    core.table.attempts[slot] = record.attempts;
    core.table.lease[slot] = lease;
    core.leases.add(lease);
    session?.leases.add(lease);
    core.setState(tube, slot, "take", state.LEASED);
    core.place(tube, slot);
  }
}
