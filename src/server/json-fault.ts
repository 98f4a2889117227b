import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { nearest } from "../base/nearest-name.ts";
import { DEEPEST, expected, isWellKnown } from "./json-spelling.ts";
import { WHOLE_MESSAGE } from "./request-errors.ts";

/** What is wrong with a JSON request. */
export interface JsonFault {
  /** The path of the field as the proto names it: "tube.default_ttl". */
  readonly field: string;
  /** The path as JSON spells it: "tube.defaultTtl". */
  readonly shown: string;
  /** What JSON should have there; undefined where the decoder's own words must do. */
  readonly description: string | undefined;
}

const LONGEST_GUESSED = 64;

/**
 * The first field of a JSON request that cannot be decoded. Undefined if no single field is at fault.
 * It decodes piece by piece, so use it only for requests that have failed.
 */
export function jsonFault(schema: DescMessage, json: unknown): JsonFault | undefined {
  if (json !== undefined && !isObject(json)) {
    const description = "must be a JSON object, such as {}";
    return { field: WHOLE_MESSAGE, shown: WHOLE_MESSAGE, description };
  }
  return faultIn(schema, json, 0);
}

function faultIn(schema: DescMessage, json: unknown, depth: number): JsonFault | undefined {
  if (!isObject(json) || depth > DEEPEST) return undefined;
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find(({ jsonName, name }) => jsonName === key || name === key);
    if (field === undefined) return { field: key, shown: key, description: unknownIn(schema, key) };
    if (!decodes(schema, { [key]: value })) return faultOf(schema, field, key, value, depth);
    const { name, jsonName } = field;
    if (key !== jsonName && Object.hasOwn(json, jsonName)) {
      return { field: name, shown: jsonName, description: `set twice, as ${name} too` };
    }
  }
  return undefined;
}

/** The fault of the field, of its item, or of the field inside of that. */
function faultOf(
  schema: DescMessage,
  field: DescField,
  key: string,
  value: JsonValue,
  depth: number,
): JsonFault {
  const named = { field: field.name, shown: field.jsonName };
  const fits = (piece: JsonValue) => decodes(schema, { [key]: piece });
  if (field.fieldKind === "list" && Array.isArray(value)) {
    const index = value.findIndex((item) => !fits([item]));
    if (index < 0) return { ...named, description: undefined };
    return below(field, value[index], extend(named, `[${index}]`), depth);
  }
  if (field.fieldKind === "map" && isObject(value)) {
    const entry = Object.entries(value).find(([name, item]) => !fits({ [name]: item }));
    if (entry === undefined) return { ...named, description: undefined };
    return below(field, entry[1], extend(named, `["${entry[0]}"]`), depth);
  }
  if (field.fieldKind === "list") return { ...named, description: "must be a list, such as []" };
  if (field.fieldKind === "map") {
    return { ...named, description: 'must be an object of names and values, such as {"a":"b"}' };
  }
  return below(field, value, named, depth);
}

type Named = Omit<JsonFault, "description">;

function extend({ field, shown }: Named, more: string): Named {
  return { field: field + more, shown: shown + more };
}

/** `value` is one value of the field, at the place that is `named`. */
function below(
  field: DescField,
  value: JsonValue | undefined,
  named: Named,
  depth: number,
): JsonFault {
  const { message } = field;
  if (message === undefined || isWellKnown(message) || !isObject(value)) {
    return { ...named, description: expected(field, value) };
  }
  const inside = faultIn(message, value, depth + 1);
  if (inside === undefined) return { ...named, description: undefined };
  return {
    field: `${named.field}.${inside.field}`,
    shown: `${named.shown}.${inside.shown}`,
    description: inside.description,
  };
}

function unknownIn({ fields }: DescMessage, key: string): string {
  const names = fields.map(({ jsonName }) => jsonName);
  const meant = key.length > LONGEST_GUESSED ? undefined : nearest(key, names);
  if (meant !== undefined) return `unknown field; did you mean ${meant}?`;
  return names.length === 0
    ? "unknown field; there are none here"
    : `unknown field; there are ${names.join(", ")}`;
}

function decodes(schema: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(schema, json);
    return true;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, JsonValue> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
