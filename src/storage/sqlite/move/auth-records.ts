import type { SQLOutputValue, StatementSync } from "node:sqlite";
import type { AuditEventType, UserState } from "../../../auth/repository.ts";
import type { AccountRecord, AuthKind, AuthRecords, HashRecord } from "../../moved-records.ts";
import { type Row, text, toState } from "../auth/rows.ts";
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
      email:
        row["email"] === null
          ? undefined
          : { address: text(row, "email"), key: text(row, "email_key") },
      state: row["state"] as UserState,
      passwordHash: orUndefined(row["password_hash"], String),
      profile: {
        firstName: text(row, "first_name"),
        lastName: text(row, "last_name"),
        picture: text(row, "picture"),
        locale: text(row, "locale"),
        attributes: JSON.parse(text(row, "attributes")) as Record<string, string>,
      },
      activationCode: hashIn(row, "activation"),
      resetToken: hashIn(row, "reset"),
      accounts: accounts.all(text(row, "id")).map(toAccount),
      createTime: Number(row["create_time"]),
      updateTime: Number(row["update_time"]),
    }),
    sessions: (row) => ({
      id: text(row, "id"),
      userId: text(row, "user_id"),
      order: Number(row["row"]),
      tokenHash: row["token_hash"] as Uint8Array,
      oldTokenHash: orUndefined(row["old_token_hash"], bytes),
      oldTokenExpireTime: orUndefined(row["old_token_expire_time"], Number),
      successorSalt: orUndefined(row["successor_salt"], bytes),
      provider: text(row, "provider"),
      socialId: text(row, "social_id"),
      device: text(row, "device"),
      address: text(row, "address"),
      createTime: Number(row["create_time"]),
      lastSeenTime: Number(row["last_seen_time"]),
      expireTime: Number(row["expire_time"]),
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
    mail: (row) => ({
      id: text(row, "id"),
      sealed: text(row, "sealed_mail"),
      expireTime: orUndefined(row["expire_time"], Number),
      order: Number(row["sequence"]),
    }),
    events: (row) => ({
      id: String(row["id"]),
      time: Number(row["time"]),
      type: row["type"] as AuditEventType,
      userId: text(row, "user_id"),
      sessionId: text(row, "session_id"),
      provider: text(row, "provider"),
      address: text(row, "address"),
      device: text(row, "device"),
      reason: text(row, "reason"),
    }),
    revocations: (row) => ({
      sequence: Number(row["sequence"]),
      time: Number(row["time"]),
      userId: text(row, "user_id"),
      sessionId: text(row, "session_id"),
    }),
    signingKeys: (row) => ({
      id: text(row, "id"),
      publicKey: text(row, "public_key"),
      sealedPrivateKey: text(row, "sealed_private_key"),
      useTime: Number(row["use_time"]),
      order: Number(row["row"]),
    }),
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

function bytes(value: SQLOutputValue): Uint8Array {
  return value as Uint8Array;
}

function orUndefined<T>(
  value: SQLOutputValue | undefined,
  read: (value: SQLOutputValue) => T,
): T | undefined {
  return value === null || value === undefined ? undefined : read(value);
}
