import type { Duration } from "@bufbuild/protobuf/wkt";
import type { ProduceRequest, Settle, WorkRequest } from "../../../gen/usher/queue/v1/stream_pb.ts";
import type {
  BatchAckRequest,
  BatchPutRequest,
  NewTask,
  Payload,
  PutRequest,
} from "../../../gen/usher/queue/v1/task_pb.ts";
import { WireReader } from "../../wire/reader.ts";
import { tag } from "../../wire/writer.ts";

/**
 * Decodes the requests that a busy queue reads most: puts, and settlements that only ack or tell
 * what is begun. It makes the same messages as protobuf-es in a third of the time. JSON payloads,
 * attributes, unknown fields and anything malformed are left to protobuf-es.
 * test/queue/handlers/request-codec.test.ts compares the two.
 */
export const queueDecoders = {
  put: decodePut,
  batchPut: decodeBatchPut,
  produce: decodeProduce,
  batchAck: decodeBatchAck,
  work: decodeWork,
};

const LARGEST_UINT32 = 0xffff_ffff;
const LARGEST_INT32 = 0x7fff_ffff;

/** Field numbers of usher.queue.v1.PutRequest and BatchPutRequest, as in task.proto. */
const put = { tube: tag.delimited(1), tasks: tag.delimited(2), wait: tag.delimited(3) };

/** Of usher.queue.v1.ProduceRequest, as in stream.proto. */
const produce = {
  sequence: tag.varint(1),
  tube: tag.delimited(2),
  tasks: tag.delimited(3),
  wait: tag.delimited(4),
};

/** Of usher.queue.v1.NewTask and its Payload, as in task.proto. */
const newTask = {
  payload: tag.delimited(1),
  priority: tag.varint(3),
  delay: tag.delimited(4),
  ttl: tag.delimited(5),
  ttr: tag.delimited(6),
  group: tag.delimited(7),
  dedupKey: tag.delimited(8),
};
const payload = { data: tag.delimited(1), text: tag.delimited(2) };

/** Of google.protobuf.Duration. */
const duration = { seconds: tag.varint(1), nanos: tag.varint(2) };

/** Of usher.queue.v1.BatchAckRequest, of WorkRequest and of its Settle. */
const leasesField = tag.delimited(1);
const settleField = tag.delimited(2);
const settle = { sequence: tag.varint(1), acks: tag.delimited(2), begun: tag.delimited(7) };

function decodePut(bytes: Buffer): PutRequest | undefined {
  const reader = new WireReader(bytes);
  const request: PutRequest = { $typeName: "usher.queue.v1.PutRequest", tube: "" };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === put.tube) request.tube = reader.text();
    else if (field === put.tasks && !request.task) request.task = readTask(reader);
    else if (field === put.wait && !request.wait) request.wait = readDuration(reader);
    else reader.fail();
  }
  return reader.failed ? undefined : request;
}

function decodeBatchPut(bytes: Buffer): BatchPutRequest | undefined {
  const reader = new WireReader(bytes);
  const request: BatchPutRequest = {
    $typeName: "usher.queue.v1.BatchPutRequest",
    tube: "",
    tasks: [],
  };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    readBatchField(reader, field, put, request);
  }
  return reader.failed ? undefined : request;
}

function decodeProduce(bytes: Buffer): ProduceRequest | undefined {
  const reader = new WireReader(bytes);
  const request: ProduceRequest = {
    $typeName: "usher.queue.v1.ProduceRequest",
    sequence: 0n,
    tube: "",
    tasks: [],
  };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === produce.sequence) request.sequence = BigInt(reader.varint());
    else readBatchField(reader, field, produce, request);
  }
  return reader.failed ? undefined : request;
}

/** Reads a field that batches have, by call and on a stream. Any other field fails. */
function readBatchField(
  reader: WireReader,
  field: number,
  { tasks, tube, wait }: typeof put,
  batch: BatchPutRequest | ProduceRequest,
): void {
  if (field === tasks) batch.tasks.push(readTask(reader));
  else if (field === tube) batch.tube = reader.text();
  else if (field === wait && !batch.wait) batch.wait = readDuration(reader);
  else reader.fail();
}

function decodeBatchAck(bytes: Buffer): BatchAckRequest | undefined {
  const reader = new WireReader(bytes);
  const leases: string[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === leasesField) leases.push(reader.text());
    else reader.fail();
  }
  return reader.failed ? undefined : { $typeName: "usher.queue.v1.BatchAckRequest", leases };
}

/**
 * A request that settles by acks or tells what is begun. Starts and prefetches are rare and left to
 * protobuf-es.
 */
function decodeWork(bytes: Buffer): WorkRequest | undefined {
  const reader = new WireReader(bytes);
  if (reader.next() !== settleField) return undefined;
  const value = readSettle(reader);
  if (reader.next() !== 0 || reader.failed) return undefined;
  return { $typeName: "usher.queue.v1.WorkRequest", message: { case: "settle", value } };
}

function readSettle(reader: WireReader): Settle {
  const acks: string[] = [];
  const begun: string[] = [];
  let sequence = 0n;
  const outer = reader.open();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === settle.acks) acks.push(reader.text());
    else if (field === settle.begun) begun.push(reader.text());
    else if (field === settle.sequence) sequence = BigInt(reader.varint());
    else reader.fail();
  }
  reader.close(outer);
  return {
    $typeName: "usher.queue.v1.Settle",
    sequence,
    acks,
    releases: [],
    buries: [],
    touches: [],
    giveBacks: [],
    begun,
  };
}

function readTask(reader: WireReader): NewTask {
  const task: NewTask = {
    $typeName: "usher.queue.v1.NewTask",
    attributes: {},
    group: "",
    dedupKey: "",
  };
  const outer = reader.open();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === newTask.payload && !task.payload) task.payload = readPayload(reader);
    else if (field === newTask.priority) task.priority = reader.varintUpTo(LARGEST_UINT32);
    else if (field === newTask.delay && !task.delay) task.delay = readDuration(reader);
    else if (field === newTask.ttl && !task.ttl) task.ttl = readDuration(reader);
    else if (field === newTask.ttr && !task.ttr) task.ttr = readDuration(reader);
    else if (field === newTask.group) task.group = reader.text();
    else if (field === newTask.dedupKey) task.dedupKey = reader.text();
    else reader.fail();
  }
  reader.close(outer);
  return task;
}

function readPayload(reader: WireReader): Payload {
  let content: Payload["content"] = { case: undefined };
  const outer = reader.open();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === payload.data) content = { case: "data", value: reader.bytes() };
    else if (field === payload.text) content = { case: "text", value: reader.text() };
    else reader.fail();
  }
  reader.close(outer);
  return { $typeName: "usher.queue.v1.Payload", content };
}

/** A duration that is not negative. */
function readDuration(reader: WireReader): Duration {
  let seconds = 0;
  let nanos = 0;
  const outer = reader.open();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === duration.seconds) seconds = reader.varint();
    else if (field === duration.nanos) nanos = reader.varintUpTo(LARGEST_INT32);
    else reader.fail();
  }
  reader.close(outer);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(seconds), nanos };
}
