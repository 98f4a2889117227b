/** How a heap sorts its items, and where it notes the place of each. */
export interface HeapOrder<T> {
  before(a: T, b: T): boolean;
  /** Called with the item's new place whenever it moves. */
  moved(item: T, place: number): void;
}

/**
 * A binary heap whose items know their place, so that any of them can be taken out in
 * O(log n). Pushing in order is O(1).
 */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #order: HeapOrder<T>;

  constructor(order: HeapOrder<T>) {
    this.#order = order;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.removeAt(0);
    return first;
  }

  /** Takes out the item that `moved` last said to be at `place`. */
  removeAt(place: number): void {
    const last = this.#items.pop() as T;
    if (place < this.#items.length) this.#settle(last, place);
  }

  /** Restores the order after the item at `place` got another rank. */
  changedAt(place: number): void {
    this.#settle(this.#items[place] as T, place);
  }

  #settle(item: T, place: number): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && this.#order.before(item, this.#items[parent] as T)) this.#up(item, place);
    else this.#down(item, place);
  }

  #up(item: T, from: number): void {
    const items = this.#items;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = items[parent] as T;
      if (!this.#order.before(item, above)) break;
      items[place] = above;
      this.#order.moved(above, place);
      place = parent;
    }
    items[place] = item;
    this.#order.moved(item, place);
  }

  #down(item: T, from: number): void {
    const items = this.#items;
    const size = items.length;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#order.before(items[child + 1] as T, items[child] as T)) child++;
      const below = items[child] as T;
      if (!this.#order.before(below, item)) break;
      items[place] = below;
      this.#order.moved(below, place);
      place = child;
    }
    items[place] = item;
    this.#order.moved(item, place);
  }
}
