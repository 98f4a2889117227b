import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Payload, PayloadSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import { invalid } from "./errors.ts";

/** What JSON can say. Its numbers are doubles: whole numbers beyond 2^53 lose digits. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** What a task carries. A string is text; every other value but bytes is JSON. */
export type PayloadValue = Uint8Array | JsonValue;

/** Which of the three a payload is on the wire. */
export type PayloadKind = "data" | "text" | "json";

/** The message of a payload and about how many bytes it takes. Throws INVALID_PARAMS. */
export function toPayload(value: PayloadValue): { payload: Payload; bytes: number } {
  const payload = create(PayloadSchema);
  if (typeof value === "string") {
    payload.content = { case: "text", value };
    return { payload, bytes: Buffer.byteLength(value) };
  }
  if (value instanceof Uint8Array) {
    payload.content = { case: "data", value };
    return { payload, bytes: value.byteLength };
  }
  const json = toValue(value);
  payload.content = { case: "json", value: json };
  return { payload, bytes: sizeOf(json) };
}

/** The value of a payload; undefined where a task has none. */
export function fromPayload(payload: Payload | undefined): PayloadValue | undefined {
  const content = payload?.content;
  if (content?.case !== "json") return content?.value;
  return toJson(ValueSchema, content.value) as JsonValue;
}

function toValue(json: unknown): Value {
  if (json === undefined) throw invalid("payload", "is required");
  try {
    return fromJson(ValueSchema, json as Parameters<typeof fromJson>[1]);
  } catch {
    throw invalid("payload", "is not bytes, text or a JSON value");
  }
}

/** About the bytes of a value as a message. */
function sizeOf({ kind }: Value): number {
  const OVERHEAD = 8;
  switch (kind.case) {
    case "stringValue":
      return OVERHEAD + Buffer.byteLength(kind.value);
    case "listValue":
      return kind.value.values.reduce((sum, value) => sum + sizeOf(value), OVERHEAD);
    case "structValue": {
      let sum = OVERHEAD;
      for (const [key, value] of Object.entries(kind.value.fields)) {
        sum += OVERHEAD + Buffer.byteLength(key) + sizeOf(value);
      }
      return sum;
    }
    default:
      return OVERHEAD + 8;
  }
}
