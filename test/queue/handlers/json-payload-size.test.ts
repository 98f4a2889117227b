import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { jsonBytes } from "../../../src/queue/handlers/json-payload-size.ts";

test("the bytes of a JSON value are those that protobuf makes of it", () => {
  const values: JsonValue[] = [
    null,
    true,
    0,
    -1.5e300,
    "",
    "x".repeat(127),
    "x".repeat(128),
    "\u2603".repeat(10_000),
    [],
    {},
    Array(50).fill(0),
    [[[[]]], [{}], "a"],
    { "": null, a: { b: { c: [1, "d", false] } }, ["x".repeat(200)]: "y".repeat(20_000) },
    Array(3_000).fill({ name: "ada", tags: ["a", "b"] }),
  ];
  for (const json of values) {
    const value = fromJson(ValueSchema, json);
    assert.equal(
      jsonBytes(value),
      toBinary(ValueSchema, value).length,
      JSON.stringify(json).slice(0, 50),
    );
  }
});
