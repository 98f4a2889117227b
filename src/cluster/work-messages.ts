import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { WorkRequestSchema, type WorkResponseSchema } from "../../gen/usher/queue/v1/stream_pb.ts";

export type WorkResponse = MessageInitShape<typeof WorkResponseSchema>;

/** A message to the stream of one shard. */
export function workRequest(message: MessageInitShape<typeof WorkRequestSchema>["message"]) {
  return create(WorkRequestSchema, message === undefined ? {} : { message });
}
