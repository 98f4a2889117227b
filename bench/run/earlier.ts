import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./bench.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Checks a commit out beside this tree, with this tree's packages, until the stack ends. Throws if
 * git does not know the commit. Answers the folder.
 */
export function checkOut(stack: AsyncDisposableStack, revision: string): string {
  const folder = join(temporaryFolder(stack), "tree");
  const commit = git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`).trim();
  git("worktree", "add", "--detach", folder, commit);
  stack.defer(() => void git("worktree", "remove", "--force", folder));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" });
}
