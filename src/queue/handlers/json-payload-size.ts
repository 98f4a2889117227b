import type { Value } from "@bufbuild/protobuf/wkt";

/**
 * The bytes of a JSON value in protobuf. They can be several times those of its text: a 0 takes
 * nine bytes, and each value carries its length.
 */
export function jsonBytes({ kind }: Value): number {
  switch (kind.case) {
    case "numberValue":
      return 9;
    case "stringValue":
      return framed(Buffer.byteLength(kind.value));
    case "listValue": {
      let bytes = 0;
      for (const value of kind.value.values) bytes += framed(jsonBytes(value));
      return framed(bytes);
    }
    case "structValue": {
      let bytes = 0;
      for (const [name, value] of Object.entries(kind.value.fields)) {
        bytes += framed(framed(Buffer.byteLength(name)) + framed(jsonBytes(value)));
      }
      return framed(bytes);
    }
    default:
      return 2;
  }
}

/** The bytes of a field: its tag, its length and its content. */
function framed(bytes: number): number {
  let lengthBytes = 1;
  for (let rest = bytes; rest > 127; rest = Math.floor(rest / 128)) lengthBytes++;
  return 1 + lengthBytes + bytes;
}
