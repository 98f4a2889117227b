import type { z } from "zod";
import { type Environment, readEnvironment } from "./environment.ts";
import {
  fileName,
  type Given,
  type Group,
  membersOf,
  type SourceContent,
  variableName,
} from "./setting-tree.ts";
import { readYaml } from "./yaml.ts";

export interface Sources {
  /** The text of the settings file. */
  readonly file?: string;
  /** Environment variables; they win over the file. */
  readonly env: Environment;
  /** Answers the content of a file that holds a secret; throws what node:fs throws. */
  readonly readSecretFile: (path: string) => string;
}

/** The settings, or every fault in them, a line each. */
export type Parsed<T> = { readonly config: T } | { readonly faults: readonly string[] };

/** Reads the settings of `schema`: defaults, over them the file, over it the environment. */
export function parseSettings<S extends Group>(schema: S, sources: Sources): Parsed<z.output<S>> {
  const faults: string[] = [];
  const given = new Map<string, Given>();
  const contents = [
    sources.file === undefined ? undefined : readYaml(schema, sources.file),
    readEnvironment(schema, sources.env),
  ];
  for (const content of contents) {
    if (content === undefined) continue;
    faults.push(...content.faults, ...faultsOfPairs(content));
    for (const one of content.given) given.set(one.path.join("."), one);
  }

  const values = new Map<string, unknown>();
  for (const [path, one] of given) {
    const value = one.inFile ? readSecret(one, sources.readSecretFile, faults) : one.value;
    values.set(path, value);
  }
  const parsed = schema.safeParse(assemble(schema, "", values));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(lineOf(issue, given));
  }
  return parsed.success && faults.length === 0 ? { config: parsed.data } : { faults };
}

/**
 * A fault where one source gives a secret both directly and by file: it is unclear which is meant.
 */
function faultsOfPairs(content: SourceContent): string[] {
  const files = content.given.filter((one) => one.inFile);
  return files.flatMap((file) => {
    const path = file.path.join(".");
    const twin = content.given.find((one) => !one.inFile && one.path.join(".") === path);
    return twin === undefined ? [] : [`${file.where}: ${twin.where} is set too; keep one of them`];
  });
}

/**
 * The trimmed content of the file. A fault does not show the file's name: it may be the secret
 * itself.
 */
function readSecret(
  { value, where }: Given,
  readSecretFile: Sources["readSecretFile"],
  faults: string[],
): string | undefined {
  if (typeof value !== "string") {
    faults.push(`${where}: allowed: the name of a file`);
    return undefined;
  }
  try {
    const secret = readSecretFile(value).trim();
    if (secret === "") faults.push(`${where}: the file is empty`);
    return secret;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "unknown error";
    faults.push(`${where}: cannot read the file it names (${code})`);
    return undefined;
  }
}

/**
 * The values under the keys of the schema. Every group is there; settings that are not set are left
 * out.
 */
function assemble(group: Group, above: string, values: ReadonlyMap<string, unknown>): object {
  const entries = membersOf(group).flatMap((member): [string, unknown][] => {
    const path = above + member.name;
    if (member.info !== undefined) {
      const value = values.get(path);
      return value === undefined ? [] : [[member.key, value]];
    }
    if (!member.named) return [[member.key, assemble(member.group, `${path}.`, values)]];
    const inside = [...values.keys()].filter((key) => key.startsWith(`${path}.`));
    const names = new Set(inside.map((key) => key.slice(path.length + 1).split(".")[0] ?? ""));
    const named = [...names].map((name): [string, object] => [
      name,
      assemble(member.group, `${path}.${name}.`, values),
    ]);
    return [[member.key, Object.fromEntries(named)]];
  });
  return Object.fromEntries(entries);
}

function lineOf(issue: z.core.$ZodIssue, given: ReadonlyMap<string, Given>): string {
  const names = issue.path.filter((part) => typeof part === "string").map(fileName);
  const where = given.get(names.join("."))?.where ?? `${names.join(".")} (${variableName(names)})`;
  const item = issue.path.find((part) => typeof part === "number");
  return `${where}${item === undefined ? "" : `, item ${item + 1}`}: ${issue.message}`;
}
