import { relative, resolve } from "node:path";
import { cwd, env } from "node:process";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

/**
 * Prints a line for each test file with what failed in it in full and what was skipped, and last,
 * alone, `N passed, N failed` (with `, N skipped` if some were). Tests are counted, not the suites
 * and tests around them. Under CI a skipped test fails the run; so does, anywhere, a run of none.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, FileReport>();
  // Some events name a file as it was asked for, others by its whole path.
  const reportOf = (name: string): FileReport => {
    const path = resolve(name);
    const file = files.get(path) ?? new FileReport(path);
    files.set(path, file);
    return file;
  };
  let succeeded = true;
  for await (const { type, data } of events) {
    if (type === "test:start") reportOf(fileOf(data)).start(data.nesting, data.name);
    else if (type === "test:stdout" || type === "test:stderr")
      reportOf(data.file).print(data.message);
    else if (type === "test:pass" || type === "test:fail") {
      const file = reportOf(fileOf(data));
      file.add(data, type === "test:fail");
      if (file.closed) yield file.text();
    } else if (type === "test:summary") {
      if (data.file === undefined) succeeded = data.success;
      else yield reportOf(data.file).close();
    }
  }
  for (const file of files.values()) {
    if (!file.closed) yield file.close();
  }
  yield closing([...files.values()], succeeded);
}

/** The file that was run: a test may be registered by a helper in another one. */
function fileOf(data: { file?: string | undefined; entryFile?: string | undefined }): string {
  return data.entryFile ?? data.file ?? "";
}

function closing(files: readonly FileReport[], succeeded: boolean): string {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { counts } of files) {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
  const faults: string[] = [];
  if (!succeeded && total.failed === 0) faults.push("FAILED: the run, outside of the tests");
  if (total.passed + total.failed === 0) faults.push("FAILED: no test ran");
  if (total.skipped > 0 && env["CI"] === "true") faults.push("FAILED: tests were skipped under CI");
  if (faults.length > 0) process.exitCode = 1;
  return ["", ...faults, inWords(total), ""].join("\n");
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function inWords({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** A test or suite that ended. */
interface Ended {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly entryFile?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined; readonly error?: Error };
}

class FileReport {
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  closed = false;
  readonly #name: string;
  /** What is told below the file's line. */
  #details = "";
  /** What the file's process printed: told if something in it fails. */
  #output = "";
  /** The names of what runs, the outermost first. */
  readonly #running: string[] = [];
  /** The depths at which something ended since the last end above them: its children. */
  readonly #endedAt = new Set<number>();

  constructor(path: string) {
    this.#name = relative(cwd(), path);
  }

  start(nesting: number, name: string): void {
    this.#running.splice(nesting, Number.POSITIVE_INFINITY, name);
  }

  print(text: string): void {
    this.#output += text;
  }

  add(ended: Ended, isFailure: boolean): void {
    const hadChildren = this.#endedAt.delete(ended.nesting + 1);
    this.#endedAt.add(ended.nesting);
    const isLeaf = !hadChildren && ended.details.type !== "suite";
    const skipped = ended.skip ?? ended.todo;
    if (isFailure && !onlyThroughChildren(ended.details.error)) {
      this.counts.failed++;
      this.#details += `  FAILED ${this.#describe(ended)}\n${indent(errorOf(ended))}`;
    } else if (skipped !== undefined && skipped !== false && !hadChildren) {
      this.counts.skipped++;
      const reason = typeof skipped === "string" ? `: ${skipped}` : "";
      this.#details += `  skipped ${this.#describe(ended)}${reason}\n`;
    } else if (!isFailure && isLeaf && !this.#isProcess(ended)) {
      this.counts.passed++;
    }
  }

  close(): string {
    this.closed = true;
    return this.text();
  }

  text(): string {
    const hasFailed = this.counts.failed > 0;
    const line = `${hasFailed ? "FAILED" : "ok    "} ${this.#name}: ${inWords(this.counts)}\n`;
    const output = hasFailed && this.#output !== "" ? `  printed:\n${indent(this.#output)}` : "";
    const text = line + this.#details + output;
    this.#details = this.#output = "";
    return text;
  }

  #describe(ended: Ended): string {
    const { name, nesting, line, column } = ended;
    if (this.#isProcess(ended)) return `${this.#name}: its process`;
    const names = [...this.#running.slice(0, nesting), name].join(" > ");
    const place = isElsewhere(ended) ? "" : `:${line ?? 1}:${column ?? 1}`;
    return `${names} (${this.#name}${place})`;
  }

  /** A file without tests, or whose process fails, is reported as a test named by its path. */
  #isProcess({ name }: Ended): boolean {
    return relative(cwd(), name) === this.#name;
  }
}

/** Whether the line is one of another file, which registered the test; then it tells nothing. */
function isElsewhere({ file, entryFile }: Ended): boolean {
  return file !== undefined && entryFile !== undefined && resolve(file) !== resolve(entryFile);
}

/** Whether a suite or test failed for nothing but the failures inside it. */
function onlyThroughChildren(error: Error | undefined): boolean {
  return error !== undefined && "failureType" in error && error.failureType === "subtestsFailed";
}

/** The error as the test threw it, with its stack, difference and causes. */
function errorOf({ details: { error } }: Ended): string {
  return `${inspect(error?.cause ?? error, { depth: 8, breakLength: 100 })}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}
