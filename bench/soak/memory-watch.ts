import { residentBytesOf } from "../run/process.ts";
import { number } from "../run/rows.ts";
import type { Usher } from "../systems/usher.ts";
import type { World } from "./world.ts";

interface Sample {
  /** What is held once the garbage is collected, and all that is resident; in bytes. */
  readonly held: number;
  readonly resident: number;
}

const MIB = 1024 ** 2;

/** The server's memory over time: a line now and then, and a comparison at the end. */
export class MemoryWatch {
  readonly #usher: Usher;
  readonly #world: World;
  readonly #say: (line: string) => void;
  readonly #startedAt = performance.now();
  /** Of the server's last life alone. */
  readonly #samples: Sample[] = [];

  constructor(usher: Usher, world: World, say: (line: string) => void) {
    this.#usher = usher;
    this.#world = world;
    this.#say = say;
  }

  /** Looks at the memory; `kept` is whether the sample is one to compare. */
  async take(kept: boolean): Promise<void> {
    const { counts, live } = this.#world;
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    const so = `${seconds} s: ${counts.puts} put, ${counts.acks} acked, ${live} live, ${counts.kills} ends, ${counts.deaths} deaths, ${counts.lapses} lapses`;
    const memory = await this.#usher.memory();
    if (memory === undefined) {
      this.#say(`${so}; the server is down`);
      return;
    }
    const sample = {
      held: memory.heapUsed + memory.external,
      resident: residentBytesOf(this.#usher.pid) ?? Number.NaN,
    };
    if (kept) this.#samples.push(sample);
    this.#say(`${so}; ${text(sample)}`);
  }

  summary(): string {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined) return "memory: too short a time to compare";
    return `memory after the last start: ${text(first)}; at the end: ${text(last)}`;
  }
}

function text({ held, resident }: Sample): string {
  return `${number(held / MIB)} MiB held, ${number(resident / MIB)} MiB resident`;
}
