import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { KeyStore, SealingKey } from "../../../auth/repository.ts";
import { StorageOpenError } from "../../open-error.ts";
import { noRoomError, readOnlyError } from "../disk-errors.ts";

const FILE = "sealing-keys.json";
const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9]+$/;

/**
 * Reads the sealing keys that lie beside an embedded database, for the owner alone; makes one the
 * first time. A backup of the folder has both the sealed secrets and the keys. Call it while the
 * database of that folder is open, which keeps other processes out. Throws StorageOpenError if the
 * file cannot be read, written or understood.
 */
export function openSealingKeys(folder: string): KeyStore {
  const file = join(folder, FILE);
  try {
    const text = readOrUndefined(file);
    if (text === undefined) return makeKeyStore(folder, file);
    chmodSync(file, 0o600);
    return { sealingKeys: parseKeys(text) };
  } catch (cause) {
    if (cause instanceof StorageOpenError) throw cause;
    if (codeOf(cause) === "ENOSPC") throw noRoomError(folder, folder, cause);
    if (codeOf(cause) === "EROFS") throw readOnlyError(folder, cause);
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new StorageOpenError(`cannot use ${file}: ${message}`, { cause });
  }
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Written aside and renamed, so that a crash leaves the whole file or none. */
function makeKeyStore(folder: string, file: string): KeyStore {
  const key = { id: randomBytes(4).toString("hex"), secret: randomBytes(KEY_BYTES) };
  const stored = { keys: [{ id: key.id, secret: key.secret.toString("base64url") }] };
  const aside = `${file}.new`;
  writeFileSync(aside, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(aside, file);
  const directory = openSync(folder, "r");
  fsyncSync(directory);
  closeSync(directory);
  return { sealingKeys: [key] };
}

function parseKeys(text: string): readonly SealingKey[] {
  const stored = parseJson(text) as { readonly keys?: unknown } | null;
  const keys = Array.isArray(stored?.keys) ? stored.keys.map(parseKey) : [];
  if (keys.length === 0) throw new Error("it holds no key");
  return keys;
}

/** JSON.parse quotes the text that it cannot read, which may be a key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
}

function parseKey(stored: { readonly id?: unknown; readonly secret?: unknown } | null): SealingKey {
  const { id, secret } = stored ?? {};
  const bytes = typeof secret === "string" ? Buffer.from(secret, "base64url") : undefined;
  if (typeof id !== "string" || !KEY_ID.test(id) || bytes?.length !== KEY_BYTES) {
    throw new Error("a key in it is not whole");
  }
  return { id, secret: bytes };
}
