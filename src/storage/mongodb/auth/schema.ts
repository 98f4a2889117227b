import type { Binary, Collection, Db, IndexDescription } from "mongodb";
import type { AuditEvent, Revocation, SigningKey, UserState } from "../../../auth/repository.ts";
import { toUsherError } from "../database.ts";
import { checkVersion, createCollections, SCHEMA_COLLECTION } from "../schema.ts";

/*
 * AuthService's documents. Times are milliseconds since the Unix epoch, as everywhere in the port.
 * A key with an index of its own that not every document has is left out, so that a sparse index
 * skips the document. Any other value that is not there is null.
 */

/** A secret that is known by its hash, until it is over. */
export interface TimedHash {
  readonly hash: Binary;
  readonly expireTime: number;
}

/** Held inside the document of its user. */
export interface AccountDocument {
  readonly provider: string;
  readonly socialId: string;
  /** What the provider told, which need not be the user's own email. */
  readonly email: string;
  readonly emailVerified: boolean;
  readonly sealedCredentials: string;
  readonly linkTime: number;
  /** When the provider last confirmed the account, and when it was last asked. */
  readonly confirmTime: number;
  readonly askTime: number;
}

/**
 * A user with everything that is the user's alone. Every step that changes some of it writes this
 * document, so that MongoDB repeats one of two steps that race.
 */
export interface UserDocument {
  readonly _id: string;
  /** Grows with every write, so that each one is a change. */
  readonly version: number;
  readonly email: string;
  /** The email's case-folded form: one account for one. Absent without an email. */
  readonly emailKey?: string;
  readonly state: UserState;
  readonly passwordHash: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly picture: string;
  readonly locale: string;
  /** Pairs, since a key may have a dot, a dollar sign or a zero character in it. */
  readonly attributes: readonly (readonly [string, string])[];
  readonly activationCode: TimedHash | null;
  readonly resetToken: TimedHash | null;
  /** The oldest link first. */
  readonly accounts: readonly AccountDocument[];
  /** `accountKey` of each account; absent without one, for an empty list has a place in an index. */
  readonly accountKeys?: readonly string[];
  readonly createTime: number;
  readonly updateTime: number;
}

export interface SessionDocument {
  readonly _id: string;
  readonly userId: string;
  /** The user's version when it was opened, which tells those of one millisecond apart. */
  readonly order: number;
  readonly tokenHash: Binary;
  /** The token before the last renewal, until when it works, and what made its successor. */
  readonly oldTokenHash?: Binary;
  readonly oldTokenExpireTime?: number;
  readonly successorSalt?: Binary;
  /** The account that opened it; empty for a password. */
  readonly provider: string;
  readonly socialId: string;
  readonly device: string;
  readonly address: string;
  readonly createTime: number;
  readonly lastSeenTime: number;
  readonly expireTime: number;
  /** Set when the user's deactivation ended it; it stays to be told from one that never was. */
  readonly endTime: number | null;
}

export interface StateDocument {
  /** The state's hash. */
  readonly _id: Binary;
  readonly provider: string;
  readonly redirectUri: string;
  readonly clientState: string;
  readonly codeVerifier: string;
  readonly nonce: string;
  readonly expireTime: number;
}

/** A try of a password that failed, or is under way. */
export interface AttemptDocument {
  readonly _id: string;
  readonly account: string;
  readonly address: string;
  readonly time: number;
  /** The id of the instance that checks the password: the try ends with it. */
  readonly instance?: string;
  /** Until when the try counts as one under way; null once it has failed. */
  readonly pendingUntil: number | null;
}

/**
 * A document that every reservation of an account or address writes, so that two of them conflict.
 */
export interface AttemptGuardDocument {
  readonly _id: string;
  readonly tries: number;
  /** Of the last try. */
  readonly time: number;
}

export interface MailDocument {
  readonly _id: string;
  readonly order: number;
  readonly sealed: string;
  readonly expireTime: number | null;
}

export type EventDocument = Omit<AuditEvent, "id" | "count"> & {
  readonly _id: number;
  /** Absent in events that were kept before refusals were counted: 1. */
  readonly count?: number;
};
export type RevocationDocument = Omit<Revocation, "sequence"> & { readonly _id: number };
export type SigningKeyDocument = Omit<SigningKey, "id"> & {
  readonly _id: string;
  readonly order: number;
};

/** A sequence. Every transaction that takes a number of it writes this document. */
export interface SequenceDocument {
  readonly _id: "revocations" | "signing_keys";
  readonly last: number;
}

export interface AuthCollections {
  readonly users: Collection<UserDocument>;
  readonly sessions: Collection<SessionDocument>;
  readonly states: Collection<StateDocument>;
  readonly attempts: Collection<AttemptDocument>;
  readonly attemptGuards: Collection<AttemptGuardDocument>;
  readonly events: Collection<EventDocument>;
  readonly mail: Collection<MailDocument>;
  readonly revocations: Collection<RevocationDocument>;
  readonly signingKeys: Collection<SigningKeyDocument>;
  readonly counters: Collection<SequenceDocument>;
}

export function authCollections(db: Db): AuthCollections {
  return {
    users: db.collection("users"),
    sessions: db.collection("sessions"),
    states: db.collection("social_states"),
    attempts: db.collection("password_attempts"),
    attemptGuards: db.collection("password_attempt_guards"),
    events: db.collection("audit_events"),
    mail: db.collection("mail_outbox"),
    revocations: db.collection("revocations"),
    signingKeys: db.collection("signing_keys"),
    counters: db.collection("auth_counters"),
  };
}

const indexes: Readonly<Partial<Record<keyof AuthCollections, IndexDescription[]>>> = {
  users: [
    { key: { emailKey: 1 }, unique: true, sparse: true },
    { key: { accountKeys: 1 }, unique: true, sparse: true },
    { key: { state: 1, _id: 1 } },
    { key: { "accounts.provider": 1, _id: 1 } },
    { key: { "activationCode.expireTime": 1 }, sparse: true },
    { key: { "resetToken.expireTime": 1 }, sparse: true },
  ],
  sessions: [
    { key: { tokenHash: 1 }, unique: true },
    { key: { oldTokenHash: 1 }, unique: true, sparse: true },
    { key: { userId: 1, createTime: 1, order: 1 } },
    { key: { expireTime: 1 } },
  ],
  states: [{ key: { expireTime: 1 } }],
  attempts: [
    { key: { account: 1, time: 1 } },
    { key: { address: 1, time: 1 } },
    { key: { time: 1 } },
  ],
  attemptGuards: [{ key: { time: 1 } }],
  events: [{ key: { time: 1, _id: 1 } }, { key: { userId: 1, time: 1, _id: 1 } }],
  mail: [{ key: { order: 1, _id: 1 } }],
  revocations: [{ key: { time: 1, _id: 1 } }],
  signingKeys: [{ key: { useTime: 1, order: 1 } }],
};

/** Grows when documents change so that an Usher from before would misread them. */
const VERSION = 1;

/**
 * Makes what is not there yet: collections and indexes. Made up front, since making a collection
 * in a transaction is slow and conflicts with others that do. Any number of instances may do so
 * at once, at every start. Rejects with StorageOpenError if what is there is of another version.
 */
export async function ensureAuthCollections(db: Db): Promise<void> {
  try {
    const collections = authCollections(db);
    const names = Object.values(collections).map(({ collectionName }) => collectionName);
    await createCollections(db, [SCHEMA_COLLECTION, ...names]);
    await checkVersion(db, { id: "auth", called: "users", version: VERSION });
    await Promise.all(
      Object.entries(indexes).map(([key, wanted]) =>
        collections[key as keyof AuthCollections].createIndexes(wanted),
      ),
    );
  } catch (error) {
    throw toUsherError(error);
  }
}
