import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMongod, MONGOD_MISSING, startMongod } from "../../bench/peers/mongod.ts";

/** Names a MongoDB to test with: of the caller, or the one that serves a whole run of tests. */
const VARIABLE = "USHER_TEST_MONGODB_URL";
/** What the variable holds where a run has looked for a mongod and there is none. */
const NONE = "none";

/** Memory as a file system: tests do not measure disks. */
const MEMORY = "/dev/shm";
const LEAST_ROOM_BYTES = 2 * 1024 ** 3;

/** For the `skip` of tests that need MongoDB: the reason, or false where there is one. */
export const withoutMongodb: string | false = isThere()
  ? false
  : `no MongoDB: ${MONGOD_MISSING}; or name a replica set in ${VARIABLE}`;

/** The server of this process, started or found; ends with the stack if it was started here. */
export async function testServer(stack: AsyncDisposableStack): Promise<string> {
  const named = process.env[VARIABLE];
  return named && named !== NONE ? named : startTestMongod(stack);
}

/** Starts a mongod on an empty folder, for tests alone. Answers the URL of the server. */
export async function startTestMongod(stack: AsyncDisposableStack): Promise<string> {
  const mongod = await startMongod(stack, {
    folder: folderFor(stack),
    cacheGiB: 0.5,
    args: ["--oplogSize", "256", "--setParameter", "diagnosticDataCollectionEnabled=false"],
  });
  if (mongod === undefined) throw new Error(MONGOD_MISSING);
  return mongod.url("");
}

/** Lets every test process of this run use one server, or know that there is none. */
export async function shareTestServer(stack: AsyncDisposableStack): Promise<void> {
  if (process.env[VARIABLE]) return;
  if (withoutMongodb !== false) console.log(`The tests on MongoDB do not run: ${withoutMongodb}`);
  process.env[VARIABLE] = withoutMongodb === false ? await startTestMongod(stack) : NONE;
}

function isThere(): boolean {
  const named = process.env[VARIABLE];
  return named ? named !== NONE : findMongod() !== undefined;
}

function folderFor(stack: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), "usher-test-mongod-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  stack.defer(remove);
  return folder;
}

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize > LEAST_ROOM_BYTES;
}
