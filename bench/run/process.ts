import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Ticks of /proc's clock in a second; the same on every Linux. */
const TICKS_PER_SECOND = 100;
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
const KEPT_OUTPUT = 4_096;

/** What runs now: nothing of it outlives the bench. */
const running = new Set<ChildProcess>();
let endsAll = false;

function endAllAtExit(): void {
  if (endsAll) return;
  endsAll = true;
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
  });
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}

export interface RunOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Opens a channel for messages to the process. */
  readonly channel?: boolean | undefined;
}

/** A program that was started from here, and is ended by its process id. */
export class Program {
  readonly child: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<unknown>;
  #output = "";

  constructor(command: string, args: readonly string[], options: RunOptions = {}) {
    endAllAtExit();
    this.#name = [command, ...args].join(" ");
    this.child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe", ...(options.channel === true ? (["ipc"] as const) : [])],
      cwd: options.cwd,
      env: { PATH: process.env["PATH"], ...options.env },
    });
    running.add(this.child);
    this.#exited = new Promise<void>((resolve) => {
      this.child.once("error", (error) => {
        this.#output += error.message;
        resolve();
      });
      this.child.once("exit", () => resolve());
    }).finally(() => running.delete(this.child));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get hasExited(): boolean {
    return !running.has(this.child);
  }

  /** The end of what it wrote. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when `isReady` does with true; rejects if the program ends first. */
  async ready(isReady: () => Promise<boolean>, pauseMs = 10): Promise<void> {
    const giveUpAt = performance.now() + START_LIMIT_MS;
    for (;;) {
      if (this.hasExited) throw new Error(`${this.#name} ended: ${this.#output.trim()}`);
      if (await isReady()) return;
      if (performance.now() > giveUpAt) throw new Error(`${this.#name} is not ready`);
      await sleep(pauseMs);
    }
  }

  /** What follows a word on a line that the program prints once it listens. */
  async said(word: string): Promise<string> {
    let found: string | undefined;
    await this.ready(async () => {
      found = this.#output.match(new RegExp(`^${word} (\\S+)$`, "m"))?.[1];
      return found !== undefined;
    });
    return found ?? "";
  }

  /** Ends it, by force if it does not go, and resolves when it is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.child.kill(signal);
    const force = setTimeout(() => this.child.kill("SIGKILL"), STOP_LIMIT_MS);
    await this.#exited;
    clearTimeout(force);
  }

  /** Resolves when it has ended by itself; with what it printed, or an error that shows it. */
  static async finish(
    command: string,
    args: readonly string[],
    options: RunOptions & { limitMs: number },
  ): Promise<{ output: string; cpuSeconds: number }> {
    const program = new Program(command, args, options);
    let output = "";
    let cpuSeconds = 0;
    program.child.stdout?.on("data", (text: string) => {
      output += text;
    });
    const watch = setInterval(() => {
      cpuSeconds = cpuSecondsOf(program.pid) ?? cpuSeconds;
    }, 20);
    const limit = setTimeout(() => program.child.kill("SIGKILL"), options.limitMs);
    const [code, signal] = (await once(program.child, "close")) as [number | null, string | null];
    clearInterval(watch);
    clearTimeout(limit);
    if (code !== 0) {
      const how = signal ?? `exit code ${code}`;
      throw new Error(`${program.#name}: ${how}\n${program.#output.trim()}`);
    }
    return { output, cpuSeconds };
  }
}

/** What a process has used so far, of every core together; undefined where /proc is not there. */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    // The name in brackets may have spaces; the fields behind it have none.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ");
    return (Number(fields?.[11]) + Number(fields?.[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** The resident memory of a process in bytes; undefined where /proc is not there. */
export function residentBytesOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

/** Whether something accepts connections there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
