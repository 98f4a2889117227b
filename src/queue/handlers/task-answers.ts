import { create, fromJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  type Timestamp,
  timestampFromMs,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import {
  type LeaseFailureSchema,
  type Payload as PayloadMessage,
  PayloadSchema,
  TaskState,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import type { Payload } from "../repository.ts";
import type { Failure } from "../rules/settling.ts";
import type { TaskView } from "../rules/task-view.ts";
import { type State, state } from "../structures/task-state.ts";

export const taskStates: Record<State, TaskState> = {
  [state.NONE]: TaskState.UNSPECIFIED,
  [state.READY]: TaskState.READY,
  [state.DELAYED]: TaskState.DELAYED,
  [state.LEASED]: TaskState.LEASED,
  [state.BURIED]: TaskState.BURIED,
  [state.DONE]: TaskState.DONE,
};

/**
 * A task in an answer. Its fields are made when they are asked for. The codec of the hot messages
 * asks for none: it reads the view.
 */
export class TaskAnswer {
  readonly view: TaskView;

  constructor(view: TaskView) {
    this.view = view;
  }

  get payload(): PayloadMessage | undefined {
    return this.view.payload && payloadMessage(this.view.payload);
  }

  get attributes(): Record<string, string> {
    return { ...this.view.payload?.attributes };
  }

  get tube(): string {
    return this.view.tube;
  }

  get id(): bigint {
    return BigInt(this.view.id);
  }

  get state(): TaskState {
    return taskStates[this.view.state];
  }

  get attempt(): number {
    return this.view.attempt;
  }

  get lease(): string {
    return this.view.lease;
  }

  get fence(): bigint {
    return BigInt(this.view.fence);
  }

  get priority(): number {
    return this.view.priority;
  }

  get group(): string {
    return this.view.group;
  }

  get dedupKey(): string {
    return this.view.dedupKey;
  }

  get reason(): string {
    return this.view.reason;
  }

  get createTime(): Timestamp {
    return timestampFromMs(this.view.createdAt);
  }

  get expireTime(): Timestamp | undefined {
    return finiteTime(this.view.expiresAt);
  }

  get leaseExpireTime(): Timestamp | undefined {
    return finiteTime(this.view.leaseDeadline);
  }

  get readyTime(): Timestamp | undefined {
    return finiteTime(this.view.readyAt);
  }

  get ttr(): Duration | undefined {
    return Number.isFinite(this.view.ttrMs) ? durationFromMs(this.view.ttrMs) : undefined;
  }
}

export function taskMessage(view: TaskView): TaskAnswer {
  return new TaskAnswer(view);
}

export function failureMessage({
  lease,
  error,
}: Failure): MessageInitShape<typeof LeaseFailureSchema> {
  // LEASE_LOST needs no message, and a list of failures can be long.
  const message = error.reason === "LEASE_LOST" ? "" : error.message;
  return { lease, reason: error.reason, message };
}

export function payloadMessage({ format, value }: Payload): PayloadMessage {
  switch (format) {
    case "data":
      return create(PayloadSchema, { content: { case: "data", value: value as Uint8Array } });
    case "text":
      return create(PayloadSchema, { content: { case: "text", value: value as string } });
    case "json": {
      const json = fromJsonString(ValueSchema, value as string);
      return create(PayloadSchema, { content: { case: "json", value: json } });
    }
  }
}

function finiteTime(ms: number): Timestamp | undefined {
  return Number.isFinite(ms) ? timestampFromMs(ms) : undefined;
}
