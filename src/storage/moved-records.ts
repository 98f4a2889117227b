import type {
  AuditEvent,
  Email,
  NewMail,
  Profile,
  Revocation,
  SavedState,
  SigningKey,
  SocialAccount,
  UserState,
} from "../auth/repository.ts";

/*
 * All that AuthService keeps, as whole records that go from one storage to another. Only a move
 * reads or writes them: AuthService's port has steps and no records.
 */

/** A secret that is known by its hash, until it is over. */
export interface HashRecord {
  readonly hash: Uint8Array;
  readonly expireTime: number;
}

export interface AccountRecord extends SocialAccount {
  readonly sealedCredentials: string;
  readonly confirmTime: number;
  readonly askTime: number;
}

export interface UserRecord {
  readonly id: string;
  readonly email: Email | undefined;
  readonly state: UserState;
  readonly passwordHash: string | undefined;
  readonly profile: Profile;
  readonly activationCode: HashRecord | undefined;
  readonly resetToken: HashRecord | undefined;
  /** The oldest link first. */
  readonly accounts: readonly AccountRecord[];
  readonly createTime: number;
  readonly updateTime: number;
}

export interface SessionRecord {
  readonly id: string;
  readonly userId: string;
  /** Grows with every session, so that those of one millisecond keep their order. */
  readonly order: number;
  readonly tokenHash: Uint8Array;
  /** The token before the last renewal, until when it works, and what made its successor. */
  readonly oldTokenHash: Uint8Array | undefined;
  readonly oldTokenExpireTime: number | undefined;
  readonly successorSalt: Uint8Array | undefined;
  /** Both empty for a password. */
  readonly provider: string;
  readonly socialId: string;
  readonly device: string;
  readonly address: string;
  readonly createTime: number;
  readonly lastSeenTime: number;
  readonly expireTime: number;
  readonly endTime: number | undefined;
}

export interface AttemptRecord {
  readonly id: string;
  readonly account: string;
  readonly address: string;
  readonly time: number;
  readonly pendingUntil: number | undefined;
}

/** What is counted of AuthService on both sides of a move, under the names that its operator sees. */
export type AuthCounts = Readonly<
  Record<
    | "users"
    | "social accounts"
    | "activation codes"
    | "reset tokens"
    | "sessions"
    | "sign-ins under way"
    | "password attempts"
    | "mails on their way"
    | "audit events"
    | "revocations"
    | "signing keys",
    number
  >
>;

/** With the place in the order of its kind. */
export type Ordered<T> = T & { readonly order: number };

/** Records by kind. A move reads each kind in batches, in its order. */
export interface AuthRecords {
  readonly users: UserRecord;
  readonly sessions: SessionRecord;
  readonly states: SavedState;
  readonly attempts: AttemptRecord;
  readonly mail: Ordered<NewMail>;
  readonly events: AuditEvent;
  readonly revocations: Revocation;
  readonly signingKeys: Ordered<SigningKey>;
}

export type AuthKind = keyof AuthRecords;

/** In this order they are moved, and told of. */
export const authKinds = [
  "users",
  "sessions",
  "states",
  "attempts",
  "mail",
  "events",
  "revocations",
  "signingKeys",
] as const satisfies readonly AuthKind[];
