import type { SQLOutputValue } from "node:sqlite";
import type {
  AuditEvent,
  AuditEventType,
  Email,
  NewMail,
  Profile,
  Revocation,
  SavedState,
  Session,
  SigningKey,
  SocialAccount,
  User,
  UserState,
} from "../../../auth/repository.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A row of a statement that returns arrays: its columns in their order. */
export type Columns = readonly SQLOutputValue[];

export function toState(row: Row): SavedState {
  return {
    stateHash: bytes(row, "state_hash"),
    provider: text(row, "provider"),
    redirectUri: text(row, "redirect_uri"),
    clientState: text(row, "client_state"),
    codeVerifier: text(row, "code_verifier"),
    nonce: text(row, "nonce"),
    expireTime: Number(row["expire_time"]),
  };
}

export function toUser(row: Row, socialAccounts: readonly SocialAccount[]): User {
  return {
    id: text(row, "id"),
    email: text(row, "email"),
    state: stateOf(row),
    profile: toProfile(row),
    socialAccounts,
    hasPassword: row["password_hash"] !== null,
    createTime: Number(row["create_time"]),
    updateTime: Number(row["update_time"]),
  };
}

/** Of a row of a user. */
export function toProfile(row: Row): Profile {
  return {
    firstName: text(row, "first_name"),
    lastName: text(row, "last_name"),
    picture: text(row, "picture"),
    locale: text(row, "locale"),
    attributes: JSON.parse(text(row, "attributes")) as Record<string, string>,
  };
}

/** Of a row of a user; undefined without an email. */
export function toEmail(row: Row): Email | undefined {
  const key = text(row, "email_key");
  return key === "" ? undefined : { address: text(row, "email"), key };
}

/** Of a row of `accountsOfUser`. */
export function toSocialAccount(row: Columns): SocialAccount {
  const [provider, socialId, email, emailVerified, linkTime] = row;
  return {
    provider: String(provider),
    socialId: String(socialId),
    email: String(email),
    emailVerified: emailVerified === 1,
    linkTime: Number(linkTime),
  };
}

export function toSession(row: Row): Session {
  return {
    id: text(row, "id"),
    provider: text(row, "provider"),
    device: text(row, "device"),
    address: text(row, "address"),
    createTime: Number(row["create_time"]),
    lastSeenTime: Number(row["last_seen_time"]),
    expireTime: Number(row["expire_time"]),
  };
}

export function toEvent(row: Row): AuditEvent {
  return {
    id: String(row["id"]),
    time: Number(row["time"]),
    type: row["type"] as AuditEventType,
    userId: text(row, "user_id"),
    sessionId: text(row, "session_id"),
    provider: text(row, "provider"),
    address: text(row, "address"),
    device: text(row, "device"),
    reason: text(row, "reason"),
    count: Number(row["count"]),
  };
}

export function toMail(row: Row): NewMail {
  return {
    id: text(row, "id"),
    sealed: text(row, "sealed_mail"),
    expireTime: row["expire_time"] === null ? undefined : Number(row["expire_time"]),
  };
}

export function toRevocation(row: Row): Revocation {
  return {
    sequence: Number(row["sequence"]),
    time: Number(row["time"]),
    userId: text(row, "user_id"),
    sessionId: text(row, "session_id"),
  };
}

export function toSigningKey(row: Row): SigningKey {
  return {
    id: text(row, "id"),
    publicKey: text(row, "public_key"),
    sealedPrivateKey: text(row, "sealed_private_key"),
    useTime: Number(row["use_time"]),
  };
}

/** A column of type BLOB. */
export function bytes(row: Row, column: string): Uint8Array {
  return row[column] as Uint8Array;
}

/** Of a row of a user. */
export function stateOf(row: Row): UserState {
  return row["state"] as UserState;
}

/** A column of type TEXT; NULL is empty. */
export function text(row: Row, column: string): string {
  return (row[column] as string | null) ?? "";
}

/** A row that the schema or the statement before makes sure of. */
export function required(row: Row | undefined): Row {
  if (row === undefined) throw new Error("a row that must be there is not");
  return row;
}
