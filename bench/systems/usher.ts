import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { freePort } from "../../scripts/free-port.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { Program } from "../run/process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MEMORY = fileURLToPath(new URL("./report-memory.ts", import.meta.url));

/** What is on disk when Usher answers: one text for every row. */
export const USHER_DURABLE = "puts and acks fsynced (SQLite WAL, synchronous=FULL)";

export interface UsherOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of an embedded database in a folder of its own. */
  readonly storage?: string;
  /** The tree whose Usher is started; by default this one. */
  readonly root?: string | undefined;
}

/** What V8 and Node hold, in bytes. */
export interface Memory {
  readonly heapUsed: number;
  readonly external: number;
}

/** `usher serve` as a process of its own, on loopback. */
export class Usher {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly queue: Client<typeof QueueService>;
  readonly auth: Client<typeof AuthService>;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #program: Program;

  private constructor(args: readonly string[], grpc: number, http: number, env: object) {
    this.grpcAddress = `127.0.0.1:${grpc}`;
    this.httpAddress = `127.0.0.1:${http}`;
    this.#args = args;
    this.#env = {
      ...env,
      USHER_GRPC_LISTEN: this.grpcAddress,
      USHER_HTTP_LISTEN: this.httpAddress,
    };
    const transport = createGrpcTransport({ baseUrl: `http://${this.grpcAddress}` });
    this.queue = createClient(QueueService, transport);
    this.auth = createClient(AuthService, transport);
    this.#program = this.#spawn();
  }

  /** Starts one that ends, and whose data goes, with the stack. */
  static async start(
    bench: Bench,
    stack: AsyncDisposableStack,
    { env = {}, storage, root = ROOT }: UsherOptions = {},
  ): Promise<Usher> {
    const address = storage ?? `sqlite:${temporaryFolder(stack)}`;
    const { profileFolder } = bench;
    const profile =
      profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const args = [...profile, "--import", MEMORY, join(root, "src/main.ts"), "serve"];
    const [grpc, http] = [await freePort(), await freePort()];
    const usher = new Usher(args, grpc, http, { ...env, USHER_STORAGE: address });
    stack.defer(() => usher.stop());
    await usher.#ready();
    return usher;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Ends it: SIGTERM in good order, SIGKILL as a crash. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    return this.#program.end(signal);
  }

  /** Stops it where it is, SIGSTOP, or lets it go on, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#program.child.kill(signal);
  }

  /** Starts it again on its data; resolves with the milliseconds until it is ready to serve. */
  async restart(): Promise<number> {
    const startedAt = performance.now();
    this.#program = this.#spawn();
    await this.#ready();
    return performance.now() - startedAt;
  }

  /** What it holds after its garbage is collected; undefined if it ends meanwhile. */
  memory(): Promise<Memory | undefined> {
    const { child } = this.#program;
    return new Promise((resolve) => {
      child.once("message", (memory) => resolve(memory as Memory));
      child.once("exit", () => resolve(undefined));
      child.send("memory", (error) => {
        if (error !== null) resolve(undefined);
      });
    });
  }

  #spawn(): Program {
    return new Program(process.execPath, this.#args, { env: this.#env, channel: true });
  }

  #ready(): Promise<void> {
    return this.#program.ready(async () => {
      const answer = await fetch(`http://${this.httpAddress}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok === true;
    }, 5);
  }
}
