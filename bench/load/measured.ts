import { setTimeout as sleep } from "node:timers/promises";
import { cpuSecondsOf } from "../run/process.ts";
import { percentile } from "../run/rows.ts";

/** When a load begins to count, and for how long. */
export interface Phases {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Of the system under the load, to count what it costs it. */
  readonly systemPids: readonly number[];
}

/** The options that a load program was started with. */
export function options<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

/** Counts what happens within the measured time, and what it costs. */
export class Measured {
  #counting = false;
  #operations = 0;
  #seconds = 0;
  #cpuSeconds = 0;
  #systemCpuSeconds = 0;
  readonly #latencies: number[] = [];
  /** Whether the load shall go on. */
  running = true;

  /** Lets the warm-up and the measured time go by. */
  async run({ warmUpMs, measureMs, systemPids }: Phases): Promise<void> {
    await sleep(warmUpMs);
    const end = this.begin(systemPids);
    await sleep(measureMs);
    end();
    this.running = false;
  }

  /** Begins to count; what is returned ends it. */
  begin(systemPids: readonly number[]): () => void {
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    const systemCpu = cpuSecondsOfAll(systemPids);
    this.#counting = true;
    return () => {
      this.#counting = false;
      this.#seconds = (performance.now() - startedAt) / 1_000;
      const used = process.cpuUsage(cpu);
      this.#cpuSeconds = (used.user + used.system) / 1e6;
      this.#systemCpuSeconds = cpuSecondsOfAll(systemPids) - systemCpu;
    };
  }

  count(operations: number): void {
    if (this.#counting) this.#operations += operations;
  }

  /** Notes how long one operation took, which is not counted by that. */
  took(milliseconds: number): void {
    if (this.#counting) this.#latencies.push(milliseconds);
  }

  /** Prints the report; the bench reads the last line. */
  report(): void {
    const latency =
      this.#latencies.length === 0
        ? {}
        : {
            latency: {
              p50: percentile(this.#latencies, 0.5),
              p99: percentile(this.#latencies, 0.99),
            },
          };
    process.stdout.write(
      `${JSON.stringify({
        operations: this.#operations,
        seconds: this.#seconds,
        cpuSeconds: this.#cpuSeconds,
        systemCpuSeconds: this.#systemCpuSeconds,
        ...latency,
      })}\n`,
    );
  }
}

/** NaN where it cannot be known. */
function cpuSecondsOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (cpuSecondsOf(pid) ?? Number.NaN), 0);
}
