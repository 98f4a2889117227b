import { pino, stdSerializers } from "pino";
import type { Log } from "./log.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where lines go: standard output, or its stand-in in a test. */
export interface LogOutput {
  write(text: string): unknown;
}

/**
 * Names of fields that hold secrets. No room logs secrets. If one slips through, it is blotted out
 * here. (pino's own redaction of as many paths takes 50 us a line.)
 */
const secretName =
  /(password|password_?hash|secret|token|lease|authorization|cookie|(activation|auth)_?code|code_?verifier)$/i;

/** How deep secrets are looked for. */
const DEEPEST = 4;

/**
 * A log of JSON lines: `level` (its name), `time` (ISO 8601), the fields, `msg`. An error under
 * `err` or `error` keeps its stack and causes. `readable` writes lines for people instead.
 */
export function createLogger(level: LogLevel, output: LogOutput, readable: boolean): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => withoutSecrets(fields, DEEPEST),
      },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
    },
    { write: (line) => output.write(readable ? readableLine(line) : line) },
  );
}

function withoutSecrets(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] => {
    if (secretName.test(name)) return [name, "[secret]"];
    return [name, isPlain(value) && depth > 1 ? withoutSecrets(value, depth - 1) : value];
  });
  return Object.fromEntries(entries);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return Object.getPrototypeOf(value) === Object.prototype;
}

interface Line {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** `12:00:01.000 info  message key=value ...`, and the stacks of errors below. */
function readableLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Line;
  let pairs = "";
  let stacks = "";
  for (const [name, value] of Object.entries(fields)) {
    if (hasStack(value)) stacks += `${value.stack}\n`;
    else pairs += ` ${name}=${isWord(value) ? value : JSON.stringify(value)}`;
  }
  return `${time.slice(11, 23)} ${level.padEnd(5)} ${msg}${pairs}\n${stacks}`;
}

/** Text that can stand without quotes, and cannot move the cursor of a terminal. */
function isWord(value: unknown): value is string {
  return typeof value === "string" && /^[^\s\p{Cc}"]+$/u.test(value);
}

function hasStack(value: unknown): value is { stack: string } {
  return typeof value === "object" && value !== null && "stack" in value;
}
