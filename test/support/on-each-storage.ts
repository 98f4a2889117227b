import { AsyncLocalStorage } from "node:async_hooks";
import { test as register, type TestContext, type TestOptions } from "node:test";
import { withoutMongodb } from "./mongod.ts";
import { ways } from "./ways.ts";

type Run = (t: TestContext) => void | Promise<void>;

const current = new AsyncLocalStorage<"sqlite" | "mongodb">();

/** Which storage the fixtures of the running test use. The tests themselves do not ask. */
export function currentStorage(): "sqlite" | "mongodb" {
  return current.getStore() ?? "sqlite";
}

let saysWhyNot = false;

/** Cases of this file that run on MongoDB. */
const onMongodb = new Set<string>();

/**
 * The runner's `test`, which runs the same case once on SQLite and once on MongoDB. A case that is
 * there for every transport runs there over the first alone: they do not meet a storage. Where
 * there is no MongoDB, one skipped test of the file says so for all.
 */
export function test(name: string, run: Run): void;
export function test(name: string, options: TestOptions, run: Run): void;
export function test(name: string, optionsOrRun: TestOptions | Run, given?: Run): void {
  const options = typeof optionsOrRun === "function" ? {} : optionsOrRun;
  const run = typeof optionsOrRun === "function" ? optionsOrRun : given;
  if (run === undefined) throw new Error(`${name}: a test without a function`);
  void register(name, options, (t) => current.run("sqlite", () => run(t)));
  if (withoutMongodb === false) {
    const theCase = `${withoutWay(name)}\n${run}`;
    if (onMongodb.has(theCase)) return;
    onMongodb.add(theCase);
    void register(`${name} (MongoDB)`, options, (t) => current.run("mongodb", () => run(t)));
  } else if (!saysWhyNot) {
    saysWhyNot = true;
    void register("every test once more (MongoDB)", { skip: withoutMongodb });
  }
}

function withoutWay(name: string): string {
  const longestFirst = ways.toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((rest, way) => rest.replaceAll(way, ""), name);
}
