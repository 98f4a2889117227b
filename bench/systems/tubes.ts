import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";
import { GrpcConnection } from "../load/grpc-connection.ts";
import { bytesField } from "../load/wire.ts";
import type { Usher } from "./usher.ts";

export const PAYLOAD_BYTES = 100;
const FILL_BATCH = 5_000;
const NEW_TASK_PAYLOAD = 1;
const NEW_TASK_GROUP = 7;

export async function createTube(usher: Usher, name: string, kind: TubeKind): Promise<void> {
  await usher.queue.createTube({ tube: { name, kind } });
}

/** The one tube that most measures use: untimed and ungrouped. */
export function createFifo(usher: Usher, name: string): Promise<void> {
  return createTube(usher, name, TubeKind.FIFO);
}

export async function truncate(usher: Usher, tube: string): Promise<void> {
  await usher.queue.truncateTube({ tube });
}

/** Puts tasks of 100 bytes; `groupOf` names the group of each where the tube has groups. */
export async function fill(
  usher: Usher,
  tube: string,
  count: number,
  groupOf?: (index: number) => string,
): Promise<void> {
  const connection = await GrpcConnection.open(usher.grpcAddress);
  const content = bytesField(1, Buffer.alloc(PAYLOAD_BYTES, "x"));
  const payload = bytesField(NEW_TASK_PAYLOAD, content);
  const taskAt = (index: number): Buffer => {
    if (groupOf === undefined) return payload;
    return Buffer.concat([payload, bytesField(NEW_TASK_GROUP, Buffer.from(groupOf(index)))]);
  };
  try {
    for (let from = 0; from < count; from += FILL_BATCH) {
      const parts = [bytesField(1, Buffer.from(tube))];
      for (let index = from; index < Math.min(count, from + FILL_BATCH); index++) {
        parts.push(bytesField(2, taskAt(index)));
      }
      const path = "/usher.queue.v1.QueueService/BatchPut";
      const { status } = await connection.unary(path, Buffer.concat(parts));
      if (status !== 0) throw new Error(`a fill of ${tube} has status ${status}`);
    }
  } finally {
    connection.close();
  }
}

/** Live tasks of a tube. */
export async function taskCount(usher: Usher, tube: string): Promise<number> {
  const { tubes } = await usher.queue.getStatistics({ tube });
  return Number(tubes[0]?.tasks?.total ?? 0n);
}
