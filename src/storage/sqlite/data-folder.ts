import { accessSync, constants, existsSync, mkdirSync, type Stats, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { StorageOpenError } from "../open-error.ts";
import { noRoomError, readOnlyError } from "./disk-errors.ts";

const { R_OK, W_OK, X_OK } = constants;

/** The folder of an embedded database. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** The database's file in it. */
  readonly file: string;
  /** Whether there was no database in it before. */
  readonly isNew: boolean;
}

/**
 * Finds the folder of a database, or makes it for the owner alone.
 * Throws StorageOpenError, a line that names the folder and what is wrong with it.
 */
export function openDataFolder(folder: string): DataFolder {
  const path = resolve(folder);
  makeFolder(path);
  assertUsable(path, R_OK | W_OK | X_OK);
  const file = join(path, "usher.db");
  const isNew = !existsSync(file);
  for (const each of [file, `${file}-wal`]) {
    if (!existsSync(each)) continue;
    if (!statSync(each).isFile()) throw new StorageOpenError(`storage: ${each} is no file`);
    assertUsable(each, R_OK | W_OK);
  }
  return { path, file, isNew };
}

/**
 * Makes a folder and those above it, one by one. (Node's own `recursive` never returns where a file
 * system, such as /proc, answers that the folder above is not there though it is.)
 */
function makeFolder(path: string): void {
  const existing = nearestFolder(path);
  let made = existing;
  try {
    for (const name of relative(existing, path).split(sep)) {
      if (name === "") continue;
      made = join(made, name);
      mkdirSync(made, { mode: 0o700 });
    }
  } catch (error) {
    throw folderError(path, existing, error);
  }
}

/** The folder itself, or the nearest one above it that is there. Throws if that is no folder. */
function nearestFolder(path: string): string {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = statOrUndefined(folder, path);
    if (found?.isDirectory()) return folder;
    if (found !== undefined) {
      const below = folder === path ? "" : `: ${path} cannot be made in it`;
      throw new StorageOpenError(`storage: ${folder} is a file, not a folder${below}`);
    }
  }
}

function statOrUndefined(folder: string, path: string): Stats | undefined {
  try {
    return statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    // A file is where a folder above it should be.
    if (codeOf(error) === "ENOTDIR") return undefined;
    throw folderError(path, path, error);
  }
}

function assertUsable(path: string, mode: number): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    throw folderError(path, path, error);
  }
}

/** What an error of the file system says of a folder, or a file in it. */
function folderError(path: string, existing: string, cause: unknown): StorageOpenError {
  const code = codeOf(cause);
  switch (code) {
    case "EROFS":
      return readOnlyError(path, cause);
    case "ENOSPC":
    case "EDQUOT":
      return noRoomError(path, existing, cause);
    case "EACCES":
    case "EPERM": {
      const wanted = existing === path ? `write to ${path}` : `make ${path} in ${existing}`;
      const line = `storage: no permission to ${wanted}; Usher runs as user ${process.getuid?.()}`;
      return new StorageOpenError(line, { cause });
    }
    default: {
      const line =
        existing === path
          ? `storage: cannot use ${path}: ${code}`
          : `storage: cannot make ${path}: ${existing} takes no folder (${code})`;
      return new StorageOpenError(line, { cause });
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
