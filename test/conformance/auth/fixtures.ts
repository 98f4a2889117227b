import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { parseEmail } from "../../../src/auth/accounts/email.ts";
import type {
  AuthRepository,
  DueAccount,
  Email,
  PasswordSignIn,
  Registration,
  SavedState,
  Session,
  SessionCheck,
  SessionCheckOutcome,
  SocialSignIn,
  ToldAccount,
  User,
} from "../../../src/auth/repository.ts";

/** When the cases play, in milliseconds. */
export const NOW = 1_700_000_000_000;
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
export const SESSION_LIFE = 7 * DAY;
export const RENEW_WITHIN = 2 * DAY;

/** Every provider that the cases name, as if all were configured. */
export const CONFIGURED: ReadonlySet<string> = new Set(["facebook", "google", "vk"]);

export function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}

export function email(address: string): Email {
  const parsed = parseEmail(address);
  assert.ok(parsed, `${address} is an email`);
  return parsed;
}

export function savedState(state: string, given: Partial<SavedState> = {}): SavedState {
  return {
    stateHash: hashOf(state),
    provider: "facebook",
    redirectUri: "https://app.example/back",
    clientState: "",
    codeVerifier: "verifier",
    nonce: "",
    expireTime: NOW + 10 * MINUTE,
    ...given,
  };
}

export interface SignInGiven {
  readonly account?: Partial<SocialSignIn["account"]>;
  readonly profile?: Partial<SocialSignIn["profile"]>;
  readonly session?: Partial<SocialSignIn["session"]>;
  readonly newUserId?: string;
  readonly now?: number;
}

/** A sign-in with ids of its own where none are given. */
export function socialSignIn(given: SignInGiven = {}): SocialSignIn {
  const now = given.now ?? NOW;
  return {
    account: {
      provider: "facebook",
      socialId: "1",
      email: undefined,
      emailVerified: false,
      sealedCredentials: "sealed",
      ...given.account,
    },
    profile: { firstName: "", lastName: "", picture: "", locale: "", ...given.profile },
    session: {
      id: randomUUID(),
      tokenHash: hashOf(randomUUID()),
      device: "",
      address: "",
      expireTime: now + SESSION_LIFE,
      mostOfUser: 100,
      ...given.session,
    },
    newUserId: given.newUserId ?? randomUUID(),
    now,
  };
}

export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly created: boolean;
}

/** Signs in and expects it to succeed. */
export async function signIn(
  repository: AuthRepository,
  given: SignInGiven = {},
): Promise<SignedIn> {
  const signedIn = await repository.signInSocially(socialSignIn(given));
  assert.equal(signedIn.outcome, "signed_in");
  return signedIn;
}

/** Opens a session that is found by `token`. */
export function signInWithToken(
  repository: AuthRepository,
  token: string,
  given: SignInGiven = {},
): Promise<SignedIn> {
  return signIn(repository, { ...given, session: { tokenHash: hashOf(token), ...given.session } });
}

/** Checks a token; a renewal would make `successor` the token. */
export function checkToken(
  repository: AuthRepository,
  token: string,
  given: {
    readonly now?: number;
    readonly successor?: string;
    readonly ask?: SessionCheck["ask"];
  } = {},
): Promise<SessionCheckOutcome> {
  const now = given.now ?? NOW;
  const successor = given.successor ?? randomUUID();
  const check: SessionCheck = {
    tokenHash: hashOf(token),
    now,
    renewal: {
      withinMs: RENEW_WITHIN,
      tokenHash: hashOf(successor),
      salt: Buffer.from(successor),
      expireTime: now + SESSION_LIFE,
      oldTokenExpireTime: now + MINUTE,
    },
    ask: given.ask,
  };
  return repository.checkSession(check);
}

/** The account that a check of `token` finds due at a time. */
export async function dueAt(
  repository: AuthRepository,
  token: string,
  now: number,
): Promise<DueAccount | undefined> {
  const ask = { confirmedUntil: now - DAY, askedUntil: now - 1 };
  const outcome = await checkToken(repository, token, { now, ask });
  assert.equal(outcome.outcome, "live");
  return outcome.dueAccount;
}

/** Checks a token and expects its session to be live. `successor` is empty without one. */
export async function liveSession(
  ...check: Parameters<typeof checkToken>
): Promise<{ readonly user: User; readonly session: Session; readonly successor: string }> {
  const outcome = await checkToken(...check);
  assert.equal(outcome.outcome, "live");
  const { user, session, successorSalt } = outcome;
  return { user, session, successor: Buffer.from(successorSalt ?? []).toString() };
}

export function registration(address: string, given: Partial<Registration> = {}): Registration {
  return {
    email: email(address),
    userId: undefined,
    newUserId: randomUUID(),
    codeHash: hashOf(randomUUID()),
    codeExpireTime: NOW + DAY,
    mail: undefined,
    now: NOW,
    ...given,
  };
}

/** Registers a pending user and expects it to succeed. */
export async function register(
  repository: AuthRepository,
  address: string,
  given: Partial<Registration> = {},
): Promise<User> {
  const registered = await repository.registerUser(registration(address, given));
  assert.equal(registered.outcome, "registered");
  return registered.user;
}

/** A social account as its provider tells of it. */
export function toldAccount(given: Partial<ToldAccount> = {}): ToldAccount {
  return {
    provider: "google",
    socialId: "g",
    email: undefined,
    emailVerified: false,
    sealedCredentials: "sealed",
    ...given,
  };
}

/** Makes an active user who signs in by a password that is known by its hash. */
export async function makeActive(
  repository: AuthRepository,
  address: string,
  given: { readonly userId?: string; readonly passwordHash?: string; readonly now?: number } = {},
): Promise<User> {
  const { passwordHash = "hash", now = NOW } = given;
  const user = {
    userId: given.userId ?? randomUUID(),
    email: email(address),
    profile: { firstName: "", lastName: "", picture: "", locale: "", attributes: {} },
    passwordHash,
  };
  assert.deepEqual(await repository.importUsers({ users: [user], now }), [true]);
  const made = await repository.findUser({ userId: user.userId });
  assert.ok(made);
  return made;
}

/** Opens a session that is found by `token` for a user of `makeActive`. */
export async function signInByPassword(
  repository: AuthRepository,
  userId: string,
  token: string,
  given: Partial<PasswordSignIn> = {},
): Promise<Session> {
  const outcome = await repository.signInByPassword(passwordSignIn(userId, token, given));
  assert.equal(outcome.outcome, "signed_in");
  return outcome.session;
}

export function passwordSignIn(
  userId: string,
  token: string,
  given: Partial<PasswordSignIn> = {},
): PasswordSignIn {
  return {
    attemptId: "",
    userId,
    passwordHash: "hash",
    newPasswordHash: undefined,
    session: {
      id: randomUUID(),
      tokenHash: hashOf(token),
      device: "",
      address: "",
      expireTime: NOW + SESSION_LIFE,
      mostOfUser: 100,
    },
    now: NOW,
    ...given,
  };
}
