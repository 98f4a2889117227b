import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { DEEPEST, isWellKnown, shortNames } from "../json-spelling.ts";

/**
 * Spells names of enums in full where a JSON request has them short ("FIFO" or "fifo" in place of
 * "TUBE_KIND_FIFO"), in place. Returns whether there were any: then the request cannot be decoded
 * as it was.
 */
export function spellEnumsInFull(schema: DescMessage, json: unknown): boolean {
  return spellIn(schema, json, 0);
}

function spellIn(schema: DescMessage, json: unknown, depth: number): boolean {
  if (!isContainer(json) || Array.isArray(json) || depth > DEEPEST) return false;
  let found = false;
  for (const field of schema.fields) {
    if (!mayHaveEnums(field)) continue;
    for (const key of new Set([field.name, field.jsonName])) {
      const value = Object.hasOwn(json, key) ? json[key] : undefined;
      const isMany = field.fieldKind === "list" || field.fieldKind === "map";
      const there = isMany
        ? isContainer(value) &&
          Object.keys(value).filter((inner) => spellAt(field, value, inner, depth)).length > 0
        : spellAt(field, json, key, depth);
      found ||= there;
    }
  }
  return found;
}

/** One value of the field, at `key` of the container. */
function spellAt(field: DescField, container: Container, key: string, depth: number): boolean {
  const value = container[key];
  if (field.message !== undefined) return spellIn(field.message, value, depth + 1);
  if (field.enum === undefined || typeof value !== "string") return false;
  const full = fullName(field.enum, value);
  if (full === undefined) return false;
  container[key] = full;
  return true;
}

/** The name that is meant by another spelling; undefined if there is none, or it is right already. */
function fullName(desc: DescEnum, text: string): string | undefined {
  if (desc.values.some(({ name }) => name === text)) return undefined;
  const upper = text.toUpperCase();
  return shortNames(desc).get(upper) ?? desc.values.find(({ name }) => name === upper)?.name;
}

function mayHaveEnums({ enum: values, message }: DescField): boolean {
  return values !== undefined || (message !== undefined && hasEnums(message));
}

const known = new WeakMap<DescMessage, boolean>();

/** Most messages have none, and their JSON need not be walked. */
function hasEnums(message: DescMessage): boolean {
  const before = known.get(message);
  if (before !== undefined) return before;
  // A message that holds itself gets no enum by that.
  known.set(message, false);
  const has = !isWellKnown(message) && message.fields.some(mayHaveEnums);
  known.set(message, has);
  return has;
}

type Container = Record<string, unknown>;

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}
