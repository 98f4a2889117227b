import { toBinary } from "@bufbuild/protobuf";
import { PayloadSchema } from "../../../gen/usher/queue/v1/task_pb.ts";
import { payloadMessage, TaskAnswer, taskStates } from "./answers.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * The messages that carry taken tasks, `TakeResponse` and the `tasks` of `WorkResponse`, written
 * straight from the engine's views. They are most of what a busy queue sends, and protobuf-es
 * takes several times as long to make a message of each task and then walk it by reflection.
 * test/queue/task-codec.test.ts holds the bytes equal to those of protobuf-es.
 */

const VARINT = 0;
const DELIMITED = 2;

/** Field numbers of usher.queue.v1.Task, as in task.proto. */
const task = {
  payload: tag(1, DELIMITED),
  attributes: tag(2, DELIMITED),
  tube: tag(3, DELIMITED),
  id: tag(4, VARINT),
  state: tag(5, VARINT),
  attempt: tag(6, VARINT),
  lease: tag(7, DELIMITED),
  fence: tag(8, VARINT),
  priority: tag(9, VARINT),
  group: tag(10, DELIMITED),
  dedupKey: tag(11, DELIMITED),
  reason: tag(12, DELIMITED),
  createTime: tag(13, DELIMITED),
  expireTime: tag(14, DELIMITED),
  leaseExpireTime: tag(15, DELIMITED),
  readyTime: tag(16, DELIMITED),
  ttr: tag(17, DELIMITED),
};

const tasksField = tag(1, DELIMITED);
const FIRST_VARINT = tag(1, VARINT);
const SECOND_VARINT = tag(2, VARINT);
const FIRST_DELIMITED = tag(1, DELIMITED);
const SECOND_DELIMITED = tag(2, DELIMITED);

const writer = new WireWriter();

/** The encoders by the methods that answer with these messages. */
export const queueEncoders = { take: encodeTake, work: encodeWork };

/** A `TakeResponse`; undefined for what is not made of answers of ours. */
function encodeTake(message: unknown): Uint8Array | undefined {
  const { tasks } = message as { tasks?: readonly unknown[] };
  if (!areAnswers(tasks)) return undefined;
  writer.reset();
  writeTasks(tasks);
  return writer.finish();
}

/** A `WorkResponse` with tasks; undefined for another one. */
function encodeWork(response: unknown): Uint8Array | undefined {
  const { message } = response as { message?: { case?: string; value?: { tasks?: unknown[] } } };
  const tasks = message?.case === "tasks" ? message.value?.tasks : undefined;
  if (!areAnswers(tasks)) return undefined;
  writer.reset();
  writer.varint(tasksField);
  const opened = writer.open();
  writeTasks(tasks);
  writer.close(opened);
  return writer.finish();
}

function areAnswers(tasks: readonly unknown[] | undefined): tasks is readonly TaskAnswer[] {
  return tasks?.every((each) => each instanceof TaskAnswer) ?? false;
}

/** Both messages have them as field 1. */
function writeTasks(tasks: readonly TaskAnswer[]): void {
  for (const answer of tasks) {
    writer.varint(tasksField);
    const opened = writer.open();
    writeTask(answer);
    writer.close(opened);
  }
}

/** Protobuf leaves out what has its default: zeros and empty texts. */
function writeTask({ view }: TaskAnswer): void {
  if (view.payload !== undefined) writePayload(view.payload);
  writeText(task.tube, view.tube);
  writeNumber(task.id, view.id);
  writeNumber(task.state, taskStates[view.state]);
  writeNumber(task.attempt, view.attempt);
  writeText(task.lease, view.lease);
  writeNumber(task.fence, view.fence);
  writeNumber(task.priority, view.priority);
  writeText(task.group, view.group);
  writeText(task.dedupKey, view.dedupKey);
  writeText(task.reason, view.reason);
  writeTime(task.createTime, view.createdAt);
  writeTime(task.expireTime, view.expiresAt);
  writeTime(task.leaseExpireTime, view.leaseDeadline);
  writeTime(task.readyTime, view.readyAt);
  writeTime(task.ttr, view.ttrMs);
}

function writePayload(payload: NonNullable<TaskAnswer["view"]["payload"]>): void {
  const { format, value, attributes } = payload;
  writer.varint(task.payload);
  if (format === "json") {
    writer.bytes(toBinary(PayloadSchema, payloadMessage(payload)));
  } else {
    const opened = writer.open();
    if (format === "data") {
      writer.varint(FIRST_DELIMITED);
      writer.bytes(value as Uint8Array);
    } else {
      writer.varint(SECOND_DELIMITED);
      writer.text(value as string);
    }
    writer.close(opened);
  }
  if (attributes === undefined) return;
  for (const [key, text] of Object.entries(attributes)) {
    writer.varint(task.attributes);
    const opened = writer.open();
    writer.varint(FIRST_DELIMITED);
    writer.text(key);
    writer.varint(SECOND_DELIMITED);
    writer.text(text);
    writer.close(opened);
  }
}

function writeText(tagOfField: number, value: string): void {
  if (value === "") return;
  writer.varint(tagOfField);
  writer.text(value);
}

function writeNumber(tagOfField: number, value: number): void {
  if (value === 0) return;
  writer.varint(tagOfField);
  writer.varint(value);
}

/** A Timestamp of a time since 1970, or a Duration, from milliseconds: seconds and nanoseconds. */
function writeTime(tagOfField: number, ms: number): void {
  if (!Number.isFinite(ms)) return;
  writer.varint(tagOfField);
  const opened = writer.open();
  const seconds = Math.floor(ms / 1_000);
  const nanos = Math.round((ms - seconds * 1_000) * 1e6);
  writeNumber(FIRST_VARINT, seconds);
  writeNumber(SECOND_VARINT, nanos);
  writer.close(opened);
}

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
