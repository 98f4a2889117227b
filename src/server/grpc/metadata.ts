import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.ts";
import { webHeaders } from "../../wire/headers.ts";

/** A status as grpc-js sends it. */
export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | null;
}

/** Request headers as handlers read them; values of `-bin` headers are base64. */
export function toHeaders(metadata: Metadata): Headers {
  return webHeaders(metadata.toHttp2Headers());
}

/**
 * Headers that a handler has set, as grpc-js sends them. Throws if a value is not printable ASCII.
 */
export function toMetadata(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [key, joined] of headers) {
    if (key.endsWith("-bin")) {
      for (const value of joined.split(",")) {
        metadata.add(key, Buffer.from(value.trim(), "base64"));
      }
    } else {
      metadata.add(key, joined);
    }
  }
  return metadata;
}

/** An error with its details, as the headers of gRPC carry it. */
export function toGrpcStatus(error: ConnectError, trailers?: Headers): GrpcStatus {
  const metadata = trailers === undefined ? new Metadata() : toMetadata(trailers);
  metadata.merge(toMetadata(error.metadata));
  const message = error.rawMessage.toWellFormed();
  if (error.details.length > 0) {
    const details = error.details.map((detail) =>
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
    );
    const status = create(StatusSchema, { code: error.code, message, details });
    metadata.set("grpc-status-details-bin", asBuffer(toBinary(StatusSchema, status)));
  }
  return { code: error.code, details: message, metadata };
}

/** The same bytes, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
