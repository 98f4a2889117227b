import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { StorageOpenError } from "../open-error.ts";
import { openDatabase } from "./database.ts";

/** Bytes that the database's file takes. */
export interface Compacted {
  readonly file: string;
  readonly before: number;
  readonly after: number;
}

/**
 * Writes the database of a stopped server anew, without the room and the traces of what was removed.
 * Takes as much room on the disk again meanwhile. Throws StorageOpenError, a line for the operator.
 */
export function compactDatabase(folder: string): Compacted {
  if (!existsSync(join(folder, "usher.db"))) {
    throw new StorageOpenError(`there is no usher.db in ${folder}: it is no folder of an Usher`);
  }
  const database = openDatabase(folder);
  const { file } = database.folder;
  const before = statSync(file).size;
  try {
    database.rewrite();
  } catch (error) {
    throw database.startError(error);
  } finally {
    database.close();
  }
  return { file, before, after: statSync(file).size };
}
