import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const VERSION = "v1.9.3";
const CACHED = join(homedir(), ".cache", "usher", `grpcurl-${VERSION}`);

/**
 * A real grpcurl: the one on PATH, or one that Go builds once and keeps outside the repository.
 * Where there is neither, the test is skipped in so many words.
 */
export async function grpcurl(t: TestContext): Promise<string | undefined> {
  const onPath = await run("which", ["grpcurl"]).catch(() => undefined);
  if (onPath !== undefined) return onPath.stdout.trim();
  const tool = join(CACHED, "grpcurl");
  if (existsSync(tool)) return tool;
  try {
    const module = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${VERSION}`;
    await run("go", ["install", module], { env: { ...process.env, GOBIN: CACHED } });
    return tool;
  } catch (error) {
    t.skip(`there is no grpcurl, and Go cannot build one: ${String(error)}`);
    return undefined;
  }
}
