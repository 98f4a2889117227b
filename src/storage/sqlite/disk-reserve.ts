import { randomFillSync } from "node:crypto";
import { closeSync, openSync, statfsSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { freeBytes } from "./disk-errors.ts";

/** How large the reserve is: enough for the log of many commits, and little beside the data. */
const MOST_BYTES = 16 * 1024 * 1024;
/** The part of the disk that it takes at most. */
const MOST_OF_DISK = 1 / 8;
/** It is given back in so many slices. */
const SLICES = 8;
const CHUNK_BYTES = 1024 * 1024;

/**
 * A file that keeps room on the disk. When the disk is full it is cut, slice by slice, and its room
 * is for what frees more: acks, deletions and checkpoints. Nothing else can take it before.
 */
export class DiskReserve {
  readonly #folder: string;
  readonly #file: string;
  readonly #bytes: number;
  #isFull = false;

  constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, "usher.reserve");
    const { blocks, bsize } = statfsSync(folder);
    this.#bytes = Math.min(MOST_BYTES, Math.floor(blocks * bsize * MOST_OF_DISK));
  }

  /** Whether the disk was full and has had no room for a whole reserve since. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether little is left of the reserve and of what it has given back. */
  isUsedUp(): boolean {
    return this.#isFull && this.#held() + freeBytes(this.#folder) < this.#bytes / 4;
  }

  /**
   * The disk is full: gives a slice back to it. Returns false if there was none, or what is left of
   * the reserve is less than the part that is to stay.
   */
  give(partToStay: number): boolean {
    this.#isFull = true;
    const held = this.#held();
    if (held <= this.#bytes * partToStay) return false;
    truncateSync(this.#file, Math.max(0, held - Math.ceil(this.#bytes / SLICES)));
    return true;
  }

  /** Makes the reserve whole if the disk has room for it, and for as much again. */
  fill(): void {
    try {
      const missing = this.#bytes - this.#held();
      if (missing > 0 && freeBytes(this.#folder) < missing + this.#bytes) {
        this.#isFull = true;
        return;
      }
      if (missing > 0) this.#append(missing);
      this.#isFull = false;
    } catch {
      // The room has gone to somebody else meanwhile.
      this.#isFull = true;
    }
  }

  #held(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Random bytes: some file systems would keep zeros in no room at all. */
  #append(bytes: number): void {
    const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK_BYTES, bytes)));
    const file = openSync(this.#file, "a", 0o600);
    try {
      for (let left = bytes; left > 0; ) {
        left -= writeSync(file, chunk, 0, Math.min(chunk.length, left));
      }
    } finally {
      closeSync(file);
    }
  }
}
