import { after, type TestContext } from "node:test";
import { type Db, MongoClient } from "mongodb";
import { testServer } from "./mongod.ts";

/** How long the emptying may take before another database is taken. */
const EMPTY_MS = 2_000;

/** The URL of an empty database for one test; whoever opens it closes it before the test ends. */
export async function testDatabase(t: TestContext): Promise<string> {
  const { server, admin } = await opened();
  const name = await emptyDatabase(admin);
  // Hooks run in the order of their making: what uses the database may close only after this one.
  // It is emptied when the next test takes it.
  t.after(() => free.push(name));
  return urlOf(server, name);
}

/** The same server's URL with another database. */
export function urlOf(server: string, database: string): string {
  const [, hosts, options = ""] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)[^?]*(\?.*)?$/.exec(server) ?? [];
  return `${hosts}/${database}${options}`;
}

interface Opened {
  readonly server: string;
  readonly admin: MongoClient;
}

const stack = new AsyncDisposableStack();
/**
 * Databases of this process that no test uses. To make collections and indexes takes far longer
 * than to empty them.
 */
const free: string[] = [];
const made: string[] = [];
let opening: Promise<Opened> | undefined;

after(async () => {
  if (opening !== undefined) {
    const { admin } = await opening;
    await Promise.all(made.map((name) => admin.db(name).dropDatabase()));
  }
  await stack.disposeAsync();
});

function opened(): Promise<Opened> {
  opening ??= (async () => {
    const server = await testServer(stack);
    const admin = await MongoClient.connect(server);
    stack.defer(() => admin.close());
    return { server, admin };
  })();
  return opening;
}

async function emptyDatabase(admin: MongoClient): Promise<string> {
  for (;;) {
    const name = free.pop();
    if (name === undefined) break;
    if (await empties(admin.db(name))) return name;
  }
  const name = `usher_test_${process.pid}_${Date.now().toString(36)}_${made.length}`;
  made.push(name);
  return name;
}

/** False where a transaction that was left open, by a killed process, holds documents. */
async function empties(db: Db): Promise<boolean> {
  try {
    const collections = await db.collections();
    await Promise.all(
      collections.map((collection) => collection.deleteMany({}, { maxTimeMS: EMPTY_MS })),
    );
    return true;
  } catch {
    return false;
  }
}
