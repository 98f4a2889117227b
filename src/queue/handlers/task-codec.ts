import { toBinary } from "@bufbuild/protobuf";
import { PayloadSchema } from "../../../gen/usher/queue/v1/task_pb.ts";
import { tag, WireWriter } from "../../wire/writer.ts";
import { payloadMessage, TaskAnswer, taskStates } from "./task-answers.ts";

/**
 * Encodes the messages that a busy queue sends most, straight from the engine's views:
 * `TakeResponse`, the `tasks` of `WorkResponse`, and `PutResponse`. protobuf-es takes several times
 * as long: it makes a message of each task and walks that by reflection.
 * test/queue/handlers/task-codec.test.ts compares the bytes of the two.
 */

/** Field numbers of usher.queue.v1.Task, as in task.proto. */
const task = {
  payload: tag.delimited(1),
  attributes: tag.delimited(2),
  tube: tag.delimited(3),
  id: tag.varint(4),
  state: tag.varint(5),
  attempt: tag.varint(6),
  lease: tag.delimited(7),
  fence: tag.varint(8),
  priority: tag.varint(9),
  group: tag.delimited(10),
  dedupKey: tag.delimited(11),
  reason: tag.delimited(12),
  createTime: tag.delimited(13),
  expireTime: tag.delimited(14),
  leaseExpireTime: tag.delimited(15),
  readyTime: tag.delimited(16),
  ttr: tag.delimited(17),
};

const tasksField = tag.delimited(1);
const taskField = tag.delimited(1);
const duplicateField = tag.varint(2);
const dataField = tag.delimited(1);
const textField = tag.delimited(2);

const writer = new WireWriter();

/** The encoders by the methods that answer with these messages. */
export const queueEncoders = { put: encodePut, take: encodeTake, work: encodeWork };

/** A `PutResponse` with the task. Undefined for a duplicate whose first task is gone. */
function encodePut(message: unknown): Uint8Array | undefined {
  const { task: put, duplicate } = message as { task?: unknown; duplicate?: unknown };
  if (!(put instanceof TaskAnswer)) return undefined;
  writer.reset();
  writer.varint(taskField);
  const opened = writer.open();
  writeTask(put);
  writer.close(opened);
  writer.numberField(duplicateField, duplicate === true ? 1 : 0);
  return writer.finish();
}

/** A `TakeResponse`. Undefined where its tasks are not of this process's own making. */
function encodeTake(message: unknown): Uint8Array | undefined {
  const { tasks } = message as { tasks?: readonly unknown[] };
  if (!areAnswers(tasks)) return undefined;
  writer.reset();
  writeTasks(tasks);
  return writer.finish();
}

/** A `WorkResponse` with tasks. Undefined for one without. */
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

/** Field 1 of both messages is the list of tasks. */
function writeTasks(tasks: readonly TaskAnswer[]): void {
  for (const answer of tasks) {
    writer.varint(tasksField);
    const opened = writer.open();
    writeTask(answer);
    writer.close(opened);
  }
}

function writeTask({ view }: TaskAnswer): void {
  if (view.payload !== undefined) writePayload(view.payload);
  writer.textField(task.tube, view.tube);
  writer.numberField(task.id, view.id);
  writer.numberField(task.state, taskStates[view.state]);
  writer.numberField(task.attempt, view.attempt);
  writer.textField(task.lease, view.lease);
  writer.numberField(task.fence, view.fence);
  writer.numberField(task.priority, view.priority);
  writer.textField(task.group, view.group);
  writer.textField(task.dedupKey, view.dedupKey);
  writer.textField(task.reason, view.reason);
  writer.timeField(task.createTime, view.createdAt);
  writer.timeField(task.expireTime, view.expiresAt);
  writer.timeField(task.leaseExpireTime, view.leaseDeadline);
  writer.timeField(task.readyTime, view.readyAt);
  writer.timeField(task.ttr, view.ttrMs);
}

function writePayload(payload: NonNullable<TaskAnswer["view"]["payload"]>): void {
  const { format, value, attributes } = payload;
  writer.varint(task.payload);
  if (format === "json") {
    writer.bytes(toBinary(PayloadSchema, payloadMessage(payload)));
  } else {
    const opened = writer.open();
    if (format === "data") {
      writer.varint(dataField);
      writer.bytes(value as Uint8Array);
    } else {
      writer.varint(textField);
      writer.text(value as string);
    }
    writer.close(opened);
  }
  if (attributes !== undefined) writer.textsField(task.attributes, attributes);
}
