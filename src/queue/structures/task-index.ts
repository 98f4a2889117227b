const INITIAL = 16;

/**
 * A tube's tasks in the order of their ids. Ids only grow, so adding is an append, and finding is a
 * binary search. A removed task leaves a hole. Holes at the head are skipped at once, the others
 * are closed when they outnumber the tasks. A task takes 12 bytes.
 */
export class TaskIndex {
  #ids = new Float64Array(INITIAL);
  /** Slot + 1; 0 is a hole. */
  #slots = new Uint32Array(INITIAL);
  #head = 0;
  #end = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `id` must be larger than every id before it. */
  append(id: number, slot: number): void {
    if (this.#end === this.#ids.length) this.#makeRoom();
    this.#ids[this.#end] = id;
    this.#slots[this.#end] = slot + 1;
    this.#end++;
    this.#size++;
  }

  /** The slot of a task; -1 if it is not there. */
  find(id: number): number {
    const place = this.#lowerBound(id);
    if (place === this.#end || this.#ids[place] !== id) return -1;
    return (this.#slots[place] as number) - 1;
  }

  remove(id: number): void {
    const place = this.#lowerBound(id);
    if (place === this.#end || this.#ids[place] !== id || this.#slots[place] === 0) return;
    this.#slots[place] = 0;
    this.#size--;
    if (this.#size === 0) {
      this.#head = this.#end = 0;
      return;
    }
    while (this.#slots[this.#head] === 0) this.#head++;
  }

  /** Calls `visit` with slots in id order, from `id` on, until it returns false. */
  walk(id: number, visit: (slot: number) => boolean): void {
    for (let place = this.#lowerBound(id); place < this.#end; place++) {
      const slot = this.#slots[place] as number;
      if (slot !== 0 && !visit(slot - 1)) return;
    }
  }

  /** The first place at or behind the head whose id is not smaller. */
  #lowerBound(id: number): number {
    // Queues ask for the head most often.
    if (this.#head < this.#end && (this.#ids[this.#head] as number) >= id) return this.#head;
    let low = this.#head;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Closes the holes if that frees half of the room, else grows. */
  #makeRoom(): void {
    const mostlyHoles = this.#size <= this.#ids.length / 2;
    const length = mostlyHoles
      ? Math.max(INITIAL, this.#ids.length)
      : Math.ceil(this.#ids.length * 1.5);
    const ids = new Float64Array(length);
    const slots = new Uint32Array(length);
    let end = 0;
    for (let place = this.#head; place < this.#end; place++) {
      if (this.#slots[place] === 0) continue;
      ids[end] = this.#ids[place] as number;
      slots[end] = this.#slots[place] as number;
      end++;
    }
    this.#ids = ids;
    this.#slots = slots;
    this.#head = 0;
    this.#end = end;
  }
}
