/** The client library of Usher for TypeScript; docs/client.md shows how to use it. */
export { durationFromMs } from "@bufbuild/protobuf/wkt";
export { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
export { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
export type { CallOptions, Calls } from "./calls.ts";
export { type ClientOptions, UsherClient } from "./client.ts";
export {
  BuryTask,
  type ClientReason,
  type FieldViolation,
  ReleaseTask,
  type StatusCode,
  UsherClientError,
} from "./errors.ts";
export type { Handler } from "./handler-pool.ts";
export type { HandlerContext } from "./leased-task.ts";
export type { NewTask } from "./new-task.ts";
export type { JsonValue, PayloadKind, PayloadValue } from "./payload.ts";
export type { Producer, ProducerOptions } from "./producer.ts";
export type { PutResult } from "./put-lanes.ts";
export type { Task } from "./task.ts";
export type { Worker, WorkerOptions } from "./worker.ts";
