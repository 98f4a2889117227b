import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMessage, DescService, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { callJson, startService } from "../support/service.ts";

/** The dearest text to compose: every two marks have to change places. */
const DEAR = `a${"\u0315\u0300".repeat(80_000)}@example.com`;
/** The longest text that any rule has to compose, in UTF-16 units. */
const MOST = 5_000;

/** A request for each text field of a message, in itself and one level below. */
function requestsWith(text: string, message: DescMessage, depth = 0): JsonObject[] {
  const requests: JsonObject[] = [];
  for (const field of message.fields) {
    const put = (value: JsonValue) => requests.push({ [field.jsonName]: value });
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) put(text);
    if (field.fieldKind === "list" && field.scalar === ScalarType.STRING) put([text]);
    if (field.fieldKind === "map") put({ [text]: "x" });
    if (field.message === undefined || depth > 2) continue;
    if (field.message.typeName.startsWith("google.")) continue;
    for (const inner of requestsWith(text, field.message, depth + 1)) {
      put(field.fieldKind === "list" ? [inner] : inner);
    }
  }
  return requests;
}

async function longestComposed(work: () => Promise<unknown>): Promise<number> {
  const { normalize } = String.prototype;
  let longest = 0;
  String.prototype.normalize = function (this: string, form?: string) {
    longest = Math.max(longest, this.length);
    // What would be too dear is counted, and not done.
    return this.length > MOST ? String(this) : normalize.call(this, form);
  } as typeof normalize;
  try {
    await work();
    return longest;
  } finally {
    String.prototype.normalize = normalize;
  }
}

for (const service of [AuthService, QueueService] as readonly DescService[]) {
  test(`${service.name}: no text is composed before its length is checked`, async (t) => {
    const usher = await startService(t);
    let asked = 0;
    for (const method of service.methods.filter(({ methodKind }) => methodKind === "unary")) {
      for (const request of requestsWith(DEAR, method.input)) {
        const rpc = `${service.typeName}/${method.name}`;
        const longest = await longestComposed(() => callJson(usher, rpc, request));
        assert.ok(longest <= MOST, `${rpc} ${JSON.stringify(request).slice(0, 100)}: ${longest}`);
        asked++;
      }
    }
    assert.ok(asked > 20);
  });
}
