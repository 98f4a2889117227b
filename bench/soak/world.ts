import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { Ledger } from "./ledger.ts";

export type QueueClient = Client<typeof QueueService>;

/** A tube that is driven, with what its callers know of it. */
export interface SoakTube {
  readonly name: string;
  readonly kind: TubeKind;
  readonly timed: boolean;
  readonly grouped: boolean;
  /** Whether nothing but burials lets a task of a group overtake another one. */
  readonly ordered: boolean;
  readonly capacity: bigint;
  readonly ledger: Ledger;
}

export interface Counts {
  puts: number;
  takes: number;
  acks: number;
  deaths: number;
  lapses: number;
  kills: number;
}

/** What everyone who takes part shares. */
export interface World {
  /** Of the instances; each serves all. */
  readonly addresses: readonly string[];
  readonly tubes: readonly SoakTube[];
  readonly counts: Counts;
  /** Live tasks at the last look; producers hold back when they are many. */
  live: number;
  /** Whether to go on. */
  producing: boolean;
  working: boolean;
}

const CAPACITY = 1_000n;
/** A caller goes on after its instance was stopped; streams end by this too, and are opened anew. */
const CALL_MS = 15_000;
/** "After UNAVAILABLE, a deadline or a broken connection a call may have been carried out." */
const IN_DOUBT: ReadonlySet<string | undefined> = new Set([
  "SHUTTING_DOWN",
  "STORAGE_UNAVAILABLE",
  "SHARD_UNAVAILABLE",
]);

export function createTubes(): SoakTube[] {
  const tube = (name: string, kind: TubeKind, timed: boolean, grouped: boolean): SoakTube => ({
    name,
    kind,
    timed,
    grouped,
    ordered: grouped && !timed,
    capacity: kind === TubeKind.LIMFIFOTTL ? CAPACITY : 0n,
    ledger: new Ledger(name),
  });
  return [
    tube("fifo", TubeKind.FIFO, false, false),
    tube("fifottl", TubeKind.FIFOTTL, true, false),
    tube("limfifottl", TubeKind.LIMFIFOTTL, true, false),
    tube("utube", TubeKind.UTUBE, false, true),
    tube("utubettl", TubeKind.UTUBETTL, true, true),
  ];
}

/** A connection of one caller, which can die without a word. */
export class Connection {
  readonly queue: QueueClient;
  readonly #sessions: Http2SessionManager;

  /** To any of the instances. */
  constructor({ addresses }: World) {
    const baseUrl = `http://${pick(addresses)}`;
    this.#sessions = new Http2SessionManager(baseUrl);
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#sessions,
      defaultTimeoutMs: CALL_MS,
    });
    this.queue = createClient(QueueService, transport);
  }

  /** As if the process had died: the server hears of it by the socket alone. */
  die(): void {
    this.#sessions.abort(new Error("this caller has died"));
  }
}

/** The reason with which a call was refused for sure; undefined: nobody knows what became of it. */
export function refusalOf(error: unknown): string | undefined {
  const shown = ConnectError.from(error);
  const reason = shown.findDetails(ErrorInfoSchema)[0]?.reason;
  return IN_DOUBT.has(reason) ? undefined : reason;
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function chance(share: number): boolean {
  return Math.random() < share;
}

export function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1));
}

export function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
