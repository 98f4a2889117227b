/** What a delivery tells, of a tube. */
export interface Delivery {
  /** What was put: every task has a payload of its own. */
  readonly key: string;
  readonly id: bigint;
  /** Grows with every take of a task. */
  readonly fence: bigint;
  /** The group, in tubes where order within a group is checked; undefined: it is not. */
  readonly group?: string | undefined;
}

type PutOutcome = "sent" | "answered" | "refused";

interface Entry {
  put: PutOutcome;
  /** It may end by itself, when its ttl is over. */
  readonly mayExpire: boolean;
  id: bigint | undefined;
  /** The largest that was delivered. */
  fence: bigint;
  /** Acks that were sent and have no answer, or never will. */
  acksInDoubt: number;
  /** The fence of the lease that was acked, once that is answered. */
  ackedFence: bigint | undefined;
  /** Out of its group's order: delayed or buried, or on its way to be. */
  steppedOut: boolean;
}

/** Faults that are kept; the rest is counted. */
const MOST_FAULTS = 50;

/**
 * What the callers of one tube know of its tasks, and the faults that follow from it. The callers
 * tell it of every message: of puts and acks before they are sent, of deliveries as they come.
 */
export class Ledger {
  readonly #tube: string;
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new Map<bigint, string>();
  /** Ids of each group whose order is checked, of tasks that are not settled. */
  readonly #groups = new Map<string, Set<bigint>>();
  readonly #faults: string[] = [];
  #faultCount = 0;

  constructor(tube: string) {
    this.#tube = tube;
  }

  /** Tasks that were put, or may have been. */
  get size(): number {
    return this.#entries.size;
  }

  /** A put is about to be sent. */
  putSent(key: string, mayExpire = false): void {
    this.#entries.set(key, {
      put: "sent",
      mayExpire,
      id: undefined,
      fence: 0n,
      acksInDoubt: 0,
      ackedFence: undefined,
      steppedOut: false,
    });
  }

  /** A put was answered with an id: it must not be lost from here on. */
  putAnswered(key: string, id: bigint, group?: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.put = "answered";
    this.#noteId(entry, key, id);
    if (group !== undefined && !isSettled(entry)) this.#inGroup(group).add(id);
  }

  /** A put was refused for sure: its task must never come. */
  putRefused(key: string): void {
    const entry = this.#entries.get(key);
    if (entry?.put === "sent") entry.put = "refused";
  }

  delivered({ key, id, fence, group }: Delivery): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#fault(`${key} came, and nobody put it`);
      return;
    }
    if (entry.put === "refused") this.#fault(`${key} came, and its put was refused`);
    this.#noteId(entry, key, id);
    if (entry.ackedFence !== undefined && fence > entry.ackedFence) {
      this.#fault(`${key} came again after its ack was answered: doubled`);
    }
    if (fence === entry.fence) this.#fault(`${key} came twice with one fence: two workers hold it`);
    if (fence > entry.fence) entry.fence = fence;
    entry.steppedOut = false;
    if (group !== undefined) this.#checkOrder(key, id, group, entry);
  }

  /** An ack is about to be sent. */
  ackSent({ key, id, group }: Delivery): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.acksInDoubt++;
    if (group !== undefined) this.#inGroup(group).delete(id);
  }

  /** An ack was answered as done. */
  ackAnswered({ key, fence }: Delivery): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (entry.ackedFence !== undefined) this.#fault(`${key} was acked twice: doubled`);
    if (fence < entry.fence) this.#fault(`${key} was acked by a worker that had lost its lease`);
    entry.acksInDoubt--;
    entry.ackedFence = fence;
  }

  /** An ack was answered as refused, for its lease was lost. */
  ackRefused({ key, id, group }: Delivery): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.acksInDoubt--;
    if (group !== undefined && !isSettled(entry)) this.#inGroup(group).add(id);
  }

  /** A burial, or a release with a delay, is about to be sent: others of the group may go ahead. */
  steppingOut({ key }: Delivery): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.steppedOut = true;
  }

  /** The tube was emptied by workers: whatever was put and not acked is lost. */
  finish(): void {
    for (const [key, entry] of this.#entries) {
      if (entry.put !== "answered" || entry.mayExpire || isSettled(entry)) continue;
      this.#fault(`${key} was put as ${entry.id} and is lost`);
    }
  }

  /** What is wrong, in words; the first of them, and how many there are. */
  get faults(): { readonly count: number; readonly first: readonly string[] } {
    return { count: this.#faultCount, first: this.#faults };
  }

  #noteId(entry: Entry, key: string, id: bigint): void {
    const known = this.#keys.get(id);
    if (known !== undefined && known !== key) this.#fault(`id ${id} is ${known} and ${key}`);
    if (entry.id !== undefined && entry.id !== id) {
      this.#fault(`${key} is there as ${entry.id} and as ${id}: doubled`);
    }
    entry.id = id;
    this.#keys.set(id, key);
  }

  #checkOrder(key: string, id: bigint, group: string, entry: Entry): void {
    const unsettled = this.#inGroup(group);
    for (const other of unsettled) {
      if (other >= id) continue;
      const otherKey = this.#keys.get(other) ?? "";
      if (this.#entries.get(otherKey)?.steppedOut) continue;
      this.#fault(`${key} (${id}) of ${group} came before ${otherKey} (${other})`);
    }
    if (!isSettled(entry)) unsettled.add(id);
  }

  #inGroup(group: string): Set<bigint> {
    let ids = this.#groups.get(group);
    if (ids === undefined) {
      ids = new Set();
      this.#groups.set(group, ids);
    }
    return ids;
  }

  #fault(text: string): void {
    this.#faultCount++;
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(`${this.#tube}: ${text}`);
  }
}

/** Whether it is acked, as far as anyone knows. */
function isSettled({ acksInDoubt, ackedFence }: Entry): boolean {
  return acksInDoubt > 0 || ackedFence !== undefined;
}
