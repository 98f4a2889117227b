import { z } from "zod";
import { type SettingInfo, settingInfo } from "./setting-types.ts";

/** A schema of settings: an object of settings, of groups, and of groups that users name (records). */
export type Group = z.ZodObject;

/** One setting of a schema, as its users name it. */
export interface Setting {
  /** Its names in the YAML file, from the top; ANY_NAME where the user chooses one. */
  readonly path: readonly string[];
  readonly info: SettingInfo;
}

/** One setting as one source gives it. */
export interface Given {
  /** As in Setting, with the user's names in it. */
  readonly path: readonly string[];
  /** The setting as the user wrote it, for faults. */
  readonly where: string;
  /** Text, a list, or something else, which is a fault. */
  readonly value: unknown;
  /** The value names the file that holds the secret. */
  readonly inFile: boolean;
}

/** The settings that one source gives, and its faults, a line each. */
export interface SourceContent {
  readonly given: readonly Given[];
  readonly faults: readonly string[];
}

/** Stands in a path for a name that the user chooses. */
export const ANY_NAME = "<name>";

/** The form of such a name. A variable and the YAML file can both write it. */
export const NAME = /^[a-z][a-z0-9_]*$/;

/** The ending of a setting that names a file with the secret. */
export const FILE_SUFFIX = "_file";

export const VARIABLE_PREFIX = "USHER_";

/** Every setting of `schema`, in the order in which it is written there. */
export function listSettings(schema: Group): readonly Setting[] {
  return walk(schema, []);
}

function walk(group: Group, above: readonly string[]): Setting[] {
  return membersOf(group).flatMap((member) => {
    const path = [...above, member.name];
    if (member.info !== undefined) return [{ path, info: member.info }];
    return walk(member.group, member.named ? [...path, ANY_NAME] : path);
  });
}

/** A setting, or a group, or (named) a group for each name that the user chooses. */
export type Member =
  | { key: string; name: string; info: SettingInfo; group?: never }
  | { key: string; name: string; info?: never; group: Group; named: boolean };

/** The members of a group with their keys in the schema and their names in the YAML file. */
export function membersOf(group: Group): Member[] {
  return Object.entries(group.shape).map(([key, schema]) => {
    const name = fileName(key);
    if (schema instanceof z.ZodObject) return { key, name, group: schema, named: false };
    if (schema instanceof z.ZodRecord && schema.valueType instanceof z.ZodObject) {
      return { key, name, group: schema.valueType, named: true };
    }
    const info = schema instanceof z.ZodType ? settingInfo.get(schema) : undefined;
    if (info === undefined) throw new Error(`${name} is neither a setting nor a group`);
    return { key, name, info };
  });
}

/** A schema's key as the YAML file has it: `grpcListen` is `grpc_listen`. */
export function fileName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The environment variable of a setting. */
export function variableName(path: readonly string[]): string {
  return VARIABLE_PREFIX + path.join("_").toUpperCase();
}
