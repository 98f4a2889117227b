import type { ServiceImpl } from "@connectrpc/connect";
import type { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { AuthRepository, KeyStore } from "../auth/repository.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../logging/log.ts";
import type { Probe } from "../server/readiness.ts";
import type { DataFolder } from "../storage/sqlite/data-folder.ts";
import type { MailTubes } from "./mail-queue.ts";

export interface BackendParts {
  readonly log: Log;
  readonly clock: Clock;
}

/** What both services stand on: a database, and the queues over it. */
export interface Backend extends AsyncDisposable {
  /** Where the data is; undefined for a server of databases. */
  readonly dataFolder?: DataFolder;
  readonly repository: AuthRepository;
  readonly keys: KeyStore;
  readonly queue: ServiceImpl<typeof QueueService>;
  /** For other instances. Undefined where there can be none. */
  readonly cluster?: ServiceImpl<typeof ClusterService>;
  /** The queues, for the mail of this service itself. */
  readonly tubes: MailTubes;
  /** What keeps changes from being stored. Throws, or rejects, when the database does not answer. */
  readonly probe: Probe;
  /** Call it when the server listens. From then on the queues serve. */
  start(grpcAddress: string): Promise<void>;
  /** Answers those who wait, and ends the streams. */
  drain(): void;
}
