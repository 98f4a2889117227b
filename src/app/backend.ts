import type { ServiceImpl } from "@connectrpc/connect";
import type { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { AuthRepository, KeyStore } from "../auth/repository.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../logging/log.ts";
import type { MailTubes } from "./mail-queue.ts";

export interface BackendParts {
  readonly log: Log;
  readonly clock: Clock;
}

/** What both services stand on: a database, and the queues over it. */
export interface Backend extends AsyncDisposable {
  readonly repository: AuthRepository;
  readonly keys: KeyStore;
  readonly queue: ServiceImpl<typeof QueueService>;
  /** For other instances. Undefined where there can be none. */
  readonly cluster?: ServiceImpl<typeof ClusterService>;
  /** The queues, for the mail of this service itself. */
  readonly tubes: MailTubes;
  /** Throws, or rejects, when the database does not answer. */
  probe(): void | Promise<void>;
  /** Call it when the server listens. From then on the queues serve. */
  start(grpcAddress: string): Promise<void>;
  /** Answers those who wait, and ends the streams. */
  drain(): void;
}
