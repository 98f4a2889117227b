import { tag, WireWriter } from "../../wire/writer.ts";
import type { Profile, Session, SocialAccount, User } from "../repository.ts";
import { isKnown, wireStates } from "./messages.ts";
import { SessionAnswer } from "./session-answer.ts";

/**
 * Encodes `CheckSessionResponse`, the most frequent answer of AuthService, straight from the
 * store's user and session. test/auth/handlers/session-codec.test.ts compares the bytes with those
 * of protobuf-es.
 */

/** Field numbers of usher.auth.v1.CheckSessionResponse, as in sessions.proto. */
const response = {
  user: tag.delimited(1),
  session: tag.delimited(2),
  accessToken: tag.delimited(3),
};

/** Of usher.auth.v1.Session, there too. */
const session = {
  id: tag.delimited(1),
  token: tag.delimited(2),
  provider: tag.delimited(3),
  device: tag.delimited(4),
  address: tag.delimited(5),
  createTime: tag.delimited(6),
  lastSeenTime: tag.delimited(7),
  expireTime: tag.delimited(8),
};

/** Of usher.auth.v1.User, as in user.proto. */
const user = {
  id: tag.delimited(1),
  email: tag.delimited(2),
  active: tag.varint(3),
  state: tag.varint(4),
  profile: tag.delimited(5),
  socialAccounts: tag.delimited(6),
  hasPassword: tag.varint(7),
  createTime: tag.delimited(8),
  updateTime: tag.delimited(9),
};

/** Of usher.auth.v1.Profile, there too. */
const profile = {
  firstName: tag.delimited(1),
  lastName: tag.delimited(2),
  picture: tag.delimited(3),
  locale: tag.delimited(4),
  attributes: tag.delimited(5),
};

/** Of usher.auth.v1.SocialAccount, there too. */
const account = {
  provider: tag.delimited(1),
  socialId: tag.delimited(2),
  email: tag.delimited(3),
  emailVerified: tag.varint(4),
  linkTime: tag.delimited(5),
};

const writer = new WireWriter();

const encodedUsers = new WeakMap<User, Uint8Array>();

/** The encoders by the methods that answer with these messages. */
export const authEncoders = { checkSession: encodeCheckSession };

/** A `CheckSessionResponse`. Undefined for an answer that is not a SessionAnswer. */
function encodeCheckSession(answer: unknown): Uint8Array | undefined {
  if (!(answer instanceof SessionAnswer)) return undefined;
  const { live, accessToken } = answer;
  const userBytes = encodeUser(live.user);
  writer.reset();
  writer.varint(response.user);
  writer.bytes(userBytes);
  writer.varint(response.session);
  const openedSession = writer.open();
  writeSession(live.session, live.token);
  writer.close(openedSession);
  writer.textField(response.accessToken, accessToken);
  return writer.finish();
}

/** Each user is encoded once. The store gives the same object again as long as nothing changes. */
function encodeUser(told: User): Uint8Array {
  const known = encodedUsers.get(told);
  if (known !== undefined) return known;
  writer.reset();
  writeUser(told);
  const bytes = writer.finish();
  encodedUsers.set(told, bytes);
  return bytes;
}

function writeUser(told: User): void {
  writer.textField(user.id, told.id);
  writer.textField(user.email, told.email);
  writer.numberField(user.active, told.state === "active" ? 1 : 0);
  writer.numberField(user.state, wireStates[told.state]);
  if (isKnown(told.profile)) {
    writer.varint(user.profile);
    const opened = writer.open();
    writeProfile(told.profile);
    writer.close(opened);
  }
  for (const each of told.socialAccounts) {
    writer.varint(user.socialAccounts);
    const opened = writer.open();
    writeAccount(each);
    writer.close(opened);
  }
  writer.numberField(user.hasPassword, told.hasPassword ? 1 : 0);
  writer.timeField(user.createTime, told.createTime);
  writer.timeField(user.updateTime, told.updateTime);
}

function writeProfile(told: Profile): void {
  writer.textField(profile.firstName, told.firstName);
  writer.textField(profile.lastName, told.lastName);
  writer.textField(profile.picture, told.picture);
  writer.textField(profile.locale, told.locale);
  writer.textsField(profile.attributes, told.attributes);
}

function writeAccount(told: SocialAccount): void {
  writer.textField(account.provider, told.provider);
  writer.textField(account.socialId, told.socialId);
  writer.textField(account.email, told.email);
  writer.numberField(account.emailVerified, told.emailVerified ? 1 : 0);
  writer.timeField(account.linkTime, told.linkTime);
}

function writeSession(told: Session, token: string): void {
  writer.textField(session.id, told.id);
  writer.textField(session.token, token);
  writer.textField(session.provider, told.provider);
  writer.textField(session.device, told.device);
  writer.textField(session.address, told.address);
  writer.timeField(session.createTime, told.createTime);
  writer.timeField(session.lastSeenTime, told.lastSeenTime);
  writer.timeField(session.expireTime, told.expireTime);
}
