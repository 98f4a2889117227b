import { Binary, type Collection, type Db, type OptionalUnlessRequiredId } from "mongodb";
import type { AuthKind, AuthRecords, HashRecord, UserRecord } from "../../moved-records.ts";
import { timedHash } from "../auth/documents.ts";
import {
  type AuthCollections,
  authCollections,
  type EventDocument,
  type MailDocument,
  type RevocationDocument,
  type SessionDocument,
  type SigningKeyDocument,
  type UserDocument,
} from "../auth/schema.ts";
import { newUser, withKeys, withProfile } from "../auth/user-documents.ts";
import { toUsherError } from "../database.ts";

/** Writes the records that a move brings from another storage. Nobody else writes meanwhile. */
export class AuthRecordWriter {
  readonly #in: AuthCollections;
  /** The highest numbers seen, from which the counters go on. */
  readonly #last = { revocations: 0, signing_keys: 0 };

  constructor(db: Db) {
    this.#in = authCollections(db);
  }

  async write<K extends AuthKind>(kind: K, records: readonly AuthRecords[K][]): Promise<void> {
    try {
      await this.#writers[kind](records);
    } catch (error) {
      throw toUsherError(error);
    }
  }

  /** Lets the counters go on where the source's numbers end. */
  async finish(): Promise<void> {
    try {
      for (const _id of ["revocations", "signing_keys"] as const) {
        const last = this.#last[_id];
        await this.#in.counters.updateOne({ _id }, { $max: { last } }, { upsert: true });
      }
    } catch (error) {
      throw toUsherError(error);
    }
  }

  readonly #writers: {
    readonly [K in AuthKind]: (records: readonly AuthRecords[K][]) => Promise<void>;
  } = {
    users: (records) => insert(this.#in.users, records.map(userDocument)),
    sessions: (records) =>
      insert(
        this.#in.sessions,
        records.map(
          ({
            id,
            tokenHash,
            oldTokenHash,
            oldTokenExpireTime,
            successorSalt,
            endTime = null,
            ...rest
          }): SessionDocument => ({
            _id: id,
            ...rest,
            tokenHash: new Binary(tokenHash),
            ...(oldTokenHash !== undefined && { oldTokenHash: new Binary(oldTokenHash) }),
            ...(oldTokenExpireTime !== undefined && { oldTokenExpireTime }),
            ...(successorSalt !== undefined && { successorSalt: new Binary(successorSalt) }),
            endTime,
          }),
        ),
      ),
    states: (records) =>
      insert(
        this.#in.states,
        records.map(({ stateHash, ...state }) => ({ _id: new Binary(stateHash), ...state })),
      ),
    attempts: (records) =>
      insert(
        this.#in.attempts,
        records.map(({ id, pendingUntil = null, ...rest }) => ({ _id: id, ...rest, pendingUntil })),
      ),
    mail: (records) =>
      insert(
        this.#in.mail,
        records.map(
          ({ id, order, sealed, expireTime = null }): MailDocument => ({
            _id: id,
            order,
            sealed,
            expireTime,
          }),
        ),
      ),
    // Ids from an embedded database are far below those that this database gives to later events.
    events: (records) =>
      insert(
        this.#in.events,
        records.map(({ id, ...event }): EventDocument => ({ ...event, _id: Number(id) })),
      ),
    revocations: (records) => {
      for (const { sequence } of records) this.#count("revocations", sequence);
      return insert(
        this.#in.revocations,
        records.map(({ sequence, ...rest }): RevocationDocument => ({ _id: sequence, ...rest })),
      );
    },
    signingKeys: (records) => {
      for (const { order } of records) this.#count("signing_keys", order);
      return insert(
        this.#in.signingKeys,
        records.map(({ id, ...key }): SigningKeyDocument => ({ _id: id, ...key })),
      );
    },
  };

  #count(name: "revocations" | "signing_keys", number: number): void {
    this.#last[name] = Math.max(this.#last[name], number);
  }
}

function userDocument(user: UserRecord): UserDocument {
  const { id: userId, email, state, createTime: now, updateTime, accounts } = user;
  return withKeys({
    ...withProfile(newUser({ userId, email, state, now }), user.profile),
    passwordHash: user.passwordHash ?? null,
    activationCode: hashOrNull(user.activationCode),
    resetToken: hashOrNull(user.resetToken),
    accounts,
    updateTime,
  });
}

function hashOrNull(record: HashRecord | undefined) {
  return record === undefined ? null : timedHash(record.hash, record.expireTime);
}

async function insert<T extends { readonly _id: unknown }>(
  collection: Collection<T>,
  documents: readonly T[],
): Promise<void> {
  if (documents.length === 0) return;
  await collection.insertMany(documents as OptionalUnlessRequiredId<T>[], { ordered: false });
}
