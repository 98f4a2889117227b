/** Result codes of SQLite, without what tells more of them in their upper bits. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

export type SqliteFault = "busy" | "full" | "input_output" | "not_a_database" | "other";

/** What is wrong, as far as it makes a difference; undefined: the error is not SQLite's. */
export function faultOf(error: unknown): SqliteFault | undefined {
  if (!isSqliteError(error)) return undefined;
  switch (error.errcode & 0xff) {
    case BUSY:
    case LOCKED:
      return "busy";
    case FULL:
      return "full";
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return "input_output";
    case NOTADB:
    case CORRUPT:
      return "not_a_database";
    default:
      return "other";
  }
}

function isSqliteError(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}
