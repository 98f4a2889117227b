import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";

/**
 * The path of the first field of a JSON request that cannot be decoded, as the proto names it:
 * "tasks[1].delay". Undefined if no single field is at fault. It decodes piece by piece, so use it
 * only for requests that have failed.
 */
export function faultyField(schema: DescMessage, json: unknown): string | undefined {
  if (!isObject(json)) return undefined;
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find(({ jsonName, name }) => jsonName === key || name === key);
    if (field === undefined) return key;
    if (!decodes(schema, { [key]: value })) return within(schema, field, key, value);
  }
  return undefined;
}

/** The path of the field at fault, of its item, or of the field inside of that. */
function within(schema: DescMessage, field: DescField, key: string, value: JsonValue): string {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    const index = value.findIndex((item) => !decodes(schema, { [key]: [item] }));
    return index < 0 ? field.name : `${field.name}[${index}]${below(field.message, value[index])}`;
  }
  if (field.fieldKind === "map" && isObject(value)) {
    const entry = Object.entries(value).find(([k, v]) => !decodes(schema, { [key]: { [k]: v } }));
    return entry === undefined
      ? field.name
      : `${field.name}["${entry[0]}"]${below(field.message, entry[1])}`;
  }
  return field.name + below(field.message, value);
}

function below(schema: DescMessage | undefined, value: unknown): string {
  // In JSON the well-known types are values, not messages.
  if (schema === undefined || schema.typeName.startsWith("google.protobuf.")) return "";
  const path = faultyField(schema, value);
  return path === undefined ? "" : `.${path}`;
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
