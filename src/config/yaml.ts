import type { Document, Scalar, YAMLMap } from "yaml";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { nearest } from "../base/nearest-name.ts";
import {
  ANY_NAME,
  FILE_SUFFIX,
  type Given,
  type Group,
  listSettings,
  type Member,
  membersOf,
  NAME,
  type SourceContent,
} from "./setting-tree.ts";

/** The YAML library's messages may quote the file, and so a secret. These replace them. */
const syntaxFaults: Readonly<Record<string, string>> = {
  BAD_INDENT: "wrong indentation",
  BLOCK_AS_IMPLICIT_KEY: "a second colon on one line; put the value in quotes",
  DUPLICATE_KEY: "this name is there twice",
  MISSING_CHAR: "a quote, bracket, comma, colon or space is missing",
  MULTIPLE_DOCS: "a second document begins; there may be one",
  TAB_AS_INDENT: "a tab where spaces belong",
};

/** Reads the settings of `schema` from the text of a YAML file. */
export function readYaml(schema: Group, text: string): SourceContent {
  const lines = new LineCounter();
  // The failsafe schema leaves every value as its text, so that a file and a variable are read
  // alike and a long number keeps its digits.
  const document = parseDocument(text, {
    schema: "failsafe",
    prettyErrors: false,
    lineCounter: lines,
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const sentence = syntaxFaults[error.code] ?? `not valid YAML (${error.code})`;
    return { given: [], faults: [`line ${lines.linePos(error.pos[0]).line}: ${sentence}`] };
  }
  const reader = new YamlReader(schema, document, lines);
  reader.readGroup(schema, document.contents, []);
  return reader;
}

class YamlReader implements SourceContent {
  readonly given: Given[] = [];
  readonly faults: string[] = [];
  readonly #schema: Group;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(schema: Group, document: Document.Parsed, lines: LineCounter) {
    this.#schema = schema;
    this.#document = document;
    this.#lines = lines;
  }

  readGroup(group: Group, node: unknown, path: readonly string[]): void {
    for (const [name, value, where] of this.#pairs(node, path)) {
      const member = findMember(group, name);
      if (member === undefined) {
        this.faults.push(`${where}: no such setting${this.#suggestion([...path, name])}`);
      } else if (member.info !== undefined) {
        this.#readSetting(member, name, value, [...path, member.name], where);
      } else if (member.named) {
        this.#readNamed(member.group, value, [...path, name]);
      } else {
        this.readGroup(member.group, value, [...path, name]);
      }
    }
  }

  #readNamed(group: Group, node: unknown, path: readonly string[]): void {
    for (const [name, value, where] of this.#pairs(node, path)) {
      if (NAME.test(name)) this.readGroup(group, value, [...path, name]);
      else this.faults.push(`${where}: a name is a letter, then letters, digits and _, all small`);
    }
  }

  #readSetting(
    member: Member,
    name: string,
    node: unknown,
    path: readonly string[],
    where: string,
  ): void {
    const value = this.#plainValue(node);
    if (value === undefined) return;
    this.given.push({ path, where, value, inFile: name !== member.name });
  }

  /** The pairs of a mapping. An empty value is an empty mapping; anything else is a fault. */
  #pairs(node: unknown, path: readonly string[]): [name: string, value: unknown, where: string][] {
    const target = this.#target(node);
    if (isMap(target)) return target.items.map((pair) => this.#pair(pair, path));
    if (target !== null && !(isScalar(target) && isNothing(target))) {
      const name = path.length === 0 ? "the settings file" : path.join(".");
      this.faults.push(
        `${name}: found ${isSeq(target) ? "a list" : "a value"}; allowed: a mapping`,
      );
    }
    return [];
  }

  #pair(pair: YAMLMap["items"][number], path: readonly string[]): [string, unknown, string] {
    const key = isScalar(pair.key) ? pair.key : undefined;
    const name = String(key?.value);
    const { line } = this.#lines.linePos(key?.range?.[0] ?? 0);
    return [name, pair.value, `${[...path, name].join(".")} (line ${line})`];
  }

  /** Text, a list of texts, or `{}` for any mapping. Undefined if there is nothing. */
  #plainValue(node: unknown): unknown {
    const target = this.#target(node);
    if (isSeq(target)) return target.items.map((item) => this.#plainValue(item) ?? "");
    if (isScalar(target)) return isNothing(target) ? undefined : String(target.value);
    return target === null ? undefined : {};
  }

  /** The target of an alias. An unknown alias counts as a mapping, which is allowed nowhere. */
  #target(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #suggestion(path: readonly string[]): string {
    const known = listSettings(this.#schema).map((setting) => setting.path);
    const groups = known.flatMap((names) => names.map((_, index) => names.slice(0, index + 1)));
    const namedAlike = (names: readonly string[]) =>
      names.map((name, index) => (name === ANY_NAME ? (path[index] ?? name) : name)).join(".");
    const candidates = new Set(groups.map(namedAlike));
    const found = nearest(path.join("."), [...candidates]);
    return found === undefined ? "" : `; did you mean ${found}?`;
  }
}

function findMember(group: Group, name: string): Member | undefined {
  return membersOf(group).find(
    (member) => member.name === name || (member.info?.secret && member.name + FILE_SUFFIX === name),
  );
}

function isNothing(scalar: Scalar): boolean {
  const text = String(scalar.value);
  return text === "" || (scalar.type === "PLAIN" && (text === "~" || text === "null"));
}
