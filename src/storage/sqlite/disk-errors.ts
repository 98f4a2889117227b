import { accessSync, constants, statfsSync } from "node:fs";
import { StorageOpenError } from "../open-error.ts";

/** Bytes that this process may still write where the folder is. */
export function freeBytes(folder: string): number {
  const { bavail, bfree, bsize } = statfsSync(folder);
  return (process.getuid?.() === 0 ? bfree : bavail) * bsize;
}

export function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EROFS";
  }
}

/** What an operator is told of a start without room. `existing` is on the same disk. */
export function noRoomError(folder: string, existing: string, cause: unknown): StorageOpenError {
  const room = `${sizeText(freeBytes(existing))} free`;
  return new StorageOpenError(`storage: the disk of ${folder} is full: ${room}`, { cause });
}

/** What an operator is told of a folder that cannot be written to at all. */
export function readOnlyError(folder: string, cause: unknown): StorageOpenError {
  return new StorageOpenError(`storage: ${folder} is on a read-only file system`, { cause });
}

function sizeText(bytes: number): string {
  const kib = bytes / 1024;
  return kib < 1024 ? `${Math.floor(kib)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}
