import { shareTestServer } from "./support/mongod.ts";

/** What is started once for a whole run of the tests; a file that runs alone starts its own. */
const stack = new AsyncDisposableStack();

export async function globalSetup(): Promise<void> {
  await shareTestServer(stack);
}

export async function globalTeardown(): Promise<void> {
  await stack.disposeAsync();
}
