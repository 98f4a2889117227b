import { AsyncLocalStorage } from "node:async_hooks";
import { test as register, type TestContext, type TestOptions } from "node:test";
import { withoutMongodb } from "./mongod.ts";

type Run = (t: TestContext) => void | Promise<void>;

const current = new AsyncLocalStorage<"sqlite" | "mongodb">();

/** Which storage the fixtures of the running test use. The tests themselves do not ask. */
export function currentStorage(): "sqlite" | "mongodb" {
  return current.getStore() ?? "sqlite";
}

let saysWhyNot = false;

/**
 * The runner's `test`, which runs the same case once on SQLite and once on MongoDB. Where there is
 * no MongoDB, one skipped test of the file says so for all.
 */
export function test(name: string, run: Run): void;
export function test(name: string, options: TestOptions, run: Run): void;
export function test(name: string, optionsOrRun: TestOptions | Run, given?: Run): void {
  const options = typeof optionsOrRun === "function" ? {} : optionsOrRun;
  const run = typeof optionsOrRun === "function" ? optionsOrRun : given;
  if (run === undefined) throw new Error(`${name}: a test without a function`);
  void register(name, options, (t) => current.run("sqlite", () => run(t)));
  if (withoutMongodb === false) {
    void register(`${name} (MongoDB)`, options, (t) => current.run("mongodb", () => run(t)));
  } else if (!saysWhyNot) {
    saysWhyNot = true;
    void register("every test once more (MongoDB)", { skip: withoutMongodb });
  }
}
