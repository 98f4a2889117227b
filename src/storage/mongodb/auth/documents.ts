import { Binary } from "mongodb";
import type { Credentials, Profile, SavedState, Session, User } from "../../../auth/repository.ts";
import { isSameHash } from "../../same-hash.ts";
import type { SessionDocument, StateDocument, TimedHash, UserDocument } from "./schema.ts";

export function toState({ _id, ...state }: StateDocument): SavedState {
  return { stateHash: bytesOf(_id), ...state };
}

export function toProfile({
  firstName,
  lastName,
  picture,
  locale,
  attributes,
}: UserDocument): Profile {
  // `fromEntries` defines own properties, `__proto__` among them.
  return { firstName, lastName, picture, locale, attributes: Object.fromEntries(attributes) };
}

export function toUser(user: UserDocument): User {
  return {
    id: user._id,
    email: user.email,
    state: user.state,
    profile: toProfile(user),
    socialAccounts: user.accounts.map(({ provider, socialId, email, emailVerified, linkTime }) => ({
      provider,
      socialId,
      email,
      emailVerified,
      linkTime,
    })),
    hasPassword: user.passwordHash !== null,
    createTime: user.createTime,
    updateTime: user.updateTime,
  };
}

export function toCredentials(user: UserDocument): Credentials {
  const { _id: userId, state, email: address, emailKey: key, passwordHash } = user;
  return {
    userId,
    state,
    email: key === undefined ? undefined : { address, key },
    passwordHash: passwordHash ?? "",
  };
}

export function toSession(session: SessionDocument): Session {
  const { _id: id, provider, device, address, createTime, lastSeenTime, expireTime } = session;
  return { id, provider, device, address, createTime, lastSeenTime, expireTime };
}

export function timedHash(hash: Uint8Array, expireTime: number): TimedHash {
  return { hash: new Binary(hash), expireTime };
}

/** Whether a stored hash is this one and not over. */
export function isGood(stored: TimedHash | null, hash: Uint8Array, now: number): boolean {
  if (stored === null || stored.expireTime <= now) return false;
  return isSameHash(bytesOf(stored.hash), hash);
}

export function bytesOf(binary: Binary): Uint8Array {
  return Uint8Array.from(binary.value());
}

/** A provider and a social id as one text, which no other two of them have. */
export function accountKey(account: {
  readonly provider: string;
  readonly socialId: string;
}): string {
  return JSON.stringify([account.provider, account.socialId]);
}
