import type { SQLOutputValue, StatementSync } from "node:sqlite";
import type { AccountRecord, AuthKind, AuthRecords, HashRecord } from "../../moved-records.ts";
import {
  bytes,
  type Row,
  stateOf,
  text,
  toEmail,
  toEvent,
  toMail,
  toProfile,
  toRevocation,
  toSession,
  toSigningKey,
  toState,
} from "../auth/rows.ts";
import type { SqliteDatabase } from "../database.ts";

/** Records that are in memory at a time. */
const BATCH = 500;

const sources: Readonly<Record<AuthKind, string>> = {
  users: `
    SELECT users.rowid AS row, users.*,
      activation_codes.code_hash AS activation_hash,
      activation_codes.expire_time AS activation_end,
      reset_tokens.token_hash AS reset_hash, reset_tokens.expire_time AS reset_end
    FROM users
      LEFT JOIN activation_codes ON activation_codes.user_id = users.id
      LEFT JOIN reset_tokens ON reset_tokens.user_id = users.id
    WHERE users.rowid > ? ORDER BY users.rowid LIMIT ?`,
  sessions: page("sessions"),
  states: page("social_states"),
  attempts: page("password_attempts"),
  mail: page("mail_outbox"),
  events: page("audit_events"),
  revocations: page("revocations"),
  signingKeys: page("signing_keys"),
};

function page(table: string): string {
  return `SELECT rowid AS row, * FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ?`;
}

/** Reads all records of a kind, in their order, in batches. */
export function* readAuth<K extends AuthKind>(
  { handle, read }: SqliteDatabase,
  kind: K,
): Generator<AuthRecords[K][]> {
  const statement = handle.prepare(sources[kind]);
  const accounts = handle.prepare(
    "SELECT * FROM social_accounts WHERE user_id = ? ORDER BY link_time, rowid",
  );
  const toRecord = records(accounts)[kind];
  for (let after: SQLOutputValue = 0; ; ) {
    const rows: Row[] = read(() => statement.all(after, BATCH));
    if (rows.length === 0) return;
    yield read(() => rows.map(toRecord));
    after = rows.at(-1)?.["row"] ?? 0;
  }
}

type Readers = { readonly [K in AuthKind]: (row: Row) => AuthRecords[K] };

function records(accounts: StatementSync): Readers {
  return {
    users: (row) => ({
      id: text(row, "id"),
      email: toEmail(row),
      state: stateOf(row),
      passwordHash: orUndefined(row["password_hash"], String),
      profile: toProfile(row),
      activationCode: hashIn(row, "activation"),
      resetToken: hashIn(row, "reset"),
      accounts: accounts.all(text(row, "id")).map(toAccount),
      createTime: Number(row["create_time"]),
      updateTime: Number(row["update_time"]),
    }),
    sessions: (row) => ({
      ...toSession(row),
      userId: text(row, "user_id"),
      order: Number(row["row"]),
      tokenHash: bytes(row, "token_hash"),
      oldTokenHash: orUndefined(row["old_token_hash"], asBytes),
      oldTokenExpireTime: orUndefined(row["old_token_expire_time"], Number),
      successorSalt: orUndefined(row["successor_salt"], asBytes),
      socialId: text(row, "social_id"),
      endTime: orUndefined(row["end_time"], Number),
    }),
    states: toState,
    attempts: (row) => ({
      id: text(row, "id"),
      account: text(row, "account"),
      address: text(row, "address"),
      time: Number(row["time"]),
      pendingUntil: orUndefined(row["pending_until"], Number),
    }),
    mail: (row) => ({ ...toMail(row), order: Number(row["sequence"]) }),
    events: toEvent,
    revocations: toRevocation,
    signingKeys: (row) => ({ ...toSigningKey(row), order: Number(row["row"]) }),
  };
}

function toAccount(row: Row): AccountRecord {
  return {
    provider: text(row, "provider"),
    socialId: text(row, "social_id"),
    email: text(row, "email"),
    emailVerified: row["email_verified"] === 1,
    sealedCredentials: text(row, "sealed_credentials"),
    linkTime: Number(row["link_time"]),
    confirmTime: Number(row["confirm_time"]),
    askTime: Number(row["ask_time"]),
  };
}

function hashIn(row: Row, name: string): HashRecord | undefined {
  const hash = row[`${name}_hash`];
  if (!(hash instanceof Uint8Array)) return undefined;
  return { hash, expireTime: Number(row[`${name}_end`]) };
}

function asBytes(value: SQLOutputValue): Uint8Array {
  return value as Uint8Array;
}

function orUndefined<T>(
  value: SQLOutputValue | undefined,
  read: (value: SQLOutputValue) => T,
): T | undefined {
  return value === null || value === undefined ? undefined : read(value);
}
