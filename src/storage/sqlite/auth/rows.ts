import { timingSafeEqual } from "node:crypto";
import type { SQLOutputValue } from "node:sqlite";
import type {
  SavedState,
  Session,
  SocialAccount,
  User,
  UserState,
} from "../../../auth/repository.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A row of a statement that returns arrays: its columns in their order. */
export type Columns = readonly SQLOutputValue[];

export function toState(row: Row): SavedState {
  return {
    stateHash: row["state_hash"] as Uint8Array,
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
    state: row["state"] as UserState,
    profile: {
      firstName: text(row, "first_name"),
      lastName: text(row, "last_name"),
      picture: text(row, "picture"),
      locale: text(row, "locale"),
      attributes: JSON.parse(text(row, "attributes")) as Record<string, string>,
    },
    socialAccounts,
    hasPassword: row["password_hash"] !== null,
    createTime: Number(row["create_time"]),
    updateTime: Number(row["update_time"]),
  };
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

/** Whether a stored hash is this one, told in the same time for every other. */
export function isSameHash(stored: SQLOutputValue | undefined, hash: Uint8Array): boolean {
  return (
    stored instanceof Uint8Array && stored.length === hash.length && timingSafeEqual(stored, hash)
  );
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
