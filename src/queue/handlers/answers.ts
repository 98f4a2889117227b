import { fromJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type LeaseFailureSchema,
  type PayloadSchema,
  type TaskSchema,
  TaskState,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import type { Payload } from "../repository.ts";
import type { Failure } from "../settling.ts";
import { type State, state } from "../transitions.ts";
import type { TaskView } from "../views.ts";

type TaskMessage = MessageInitShape<typeof TaskSchema>;
type PayloadMessage = MessageInitShape<typeof PayloadSchema>;

const states: Record<State, TaskState> = {
  [state.NONE]: TaskState.UNSPECIFIED,
  [state.READY]: TaskState.READY,
  [state.DELAYED]: TaskState.DELAYED,
  [state.LEASED]: TaskState.LEASED,
  [state.BURIED]: TaskState.BURIED,
  [state.DONE]: TaskState.DONE,
};

export function taskMessage(task: TaskView): TaskMessage {
  return {
    ...(task.payload && { payload: payloadMessage(task.payload) }),
    ...(task.payload?.attributes && { attributes: { ...task.payload.attributes } }),
    tube: task.tube,
    id: BigInt(task.id),
    state: states[task.state],
    attempt: task.attempt,
    lease: task.lease,
    fence: BigInt(task.fence),
    priority: task.priority,
    group: task.group,
    dedupKey: task.dedupKey,
    reason: task.reason,
    createTime: timestampFromMs(task.createdAt),
    ...(Number.isFinite(task.expiresAt) && { expireTime: timestampFromMs(task.expiresAt) }),
    ...(Number.isFinite(task.leaseDeadline) && {
      leaseExpireTime: timestampFromMs(task.leaseDeadline),
    }),
    ...(Number.isFinite(task.readyAt) && { readyTime: timestampFromMs(task.readyAt) }),
    ...(Number.isFinite(task.ttrMs) && { ttr: durationFromMs(task.ttrMs) }),
  };
}

export function failureMessage({
  lease,
  error,
}: Failure): MessageInitShape<typeof LeaseFailureSchema> {
  // LEASE_LOST says it all; in a long list of them words would only take room.
  const message = error.reason === "LEASE_LOST" ? "" : error.message;
  return { lease, reason: error.reason, message };
}

function payloadMessage({ format, value }: Payload): PayloadMessage {
  switch (format) {
    case "data":
      return { content: { case: "data", value: value as Uint8Array } };
    case "text":
      return { content: { case: "text", value: value as string } };
    case "json":
      return { content: { case: "json", value: fromJsonString(ValueSchema, value as string) } };
  }
}
