import type { User, UserRequest } from "./users.ts";

/** Sessions, however they were opened. */
export interface SessionSteps {
  /**
   * Tells whose session a token is, and renews the session when its end is near.
   * - a session is found by its token, in a reopened store too
   * - a session is over at its expire time
   * - a session that ends soon is renewed, and keeps its id
   * - after a renewal the old token works until its time and leads to the same successor
   * - checks of a session that ends soon, at once, all succeed and renew it once
   * - a check without a renewal leaves the session as it is
   * - a session of a deactivated user is answered with user_not_active
   * - a social session tells when its account's provider was not asked for long, and tells it once
   * - a check tells what is so at its time, however soon after another one
   *
   * The time of the last check is kept to the minute, so that most checks write nothing.
   */
  checkSession(check: SessionCheck): Promise<SessionCheckOutcome>;

  /**
   * Ends one session. Returns whether there was one to end.
   * - an ended session is unknown, and is ended once
   * - a session beyond the most of a user ends the oldest, which is revoked
   * - the old token of a renewed session ends it too, until its time
   */
  endSession(request: { readonly tokenHash: Uint8Array; readonly now: number }): Promise<boolean>;

  /**
   * Lists where a user is signed in; undefined if there is no such user.
   * - live sessions are listed the newest first, and none of another user
   * - a list of sessions goes on after a place, whatever came and went meanwhile
   */
  listSessions(query: SessionQuery): Promise<SessionPage | undefined>;

  /**
   * Ends sessions of a user. Returns how many there were to end, or undefined if there is no such
   * user.
   * - sessions are revoked by id, and what is not the user's own is passed over
   * - every session of the user is revoked where no ids are given
   */
  revokeSessions(
    request: UserRequest & {
      /** undefined for every session. */
      readonly sessionIds: readonly string[] | undefined;
    },
  ): Promise<number | undefined>;
}

export interface Session {
  readonly id: string;
  /** The provider through which it was opened. */
  readonly provider: string;
  readonly device: string;
  readonly address: string;
  readonly createTime: number;
  readonly lastSeenTime: number;
  readonly expireTime: number;
}

/** A place in the list of a user's sessions. */
export interface SessionPlace {
  readonly createTime: number;
  /** Tells those of one millisecond apart. */
  readonly order: number;
}

export interface SessionQuery extends UserRequest {
  readonly limit: number;
  /** `next` of the page before; undefined for the first page. */
  readonly after: SessionPlace | undefined;
}

export interface SessionPage {
  readonly sessions: readonly Session[];
  /** Where the list goes on; undefined at its end. */
  readonly next: SessionPlace | undefined;
}

/** A session to open. */
export interface NewSession {
  readonly id: string;
  readonly tokenHash: Uint8Array;
  readonly device: string;
  readonly address: string;
  readonly expireTime: number;
  /** How many live sessions the user may have with this one: the oldest of more are ended. */
  readonly mostOfUser: number;
}

export interface SessionCheck {
  readonly tokenHash: Uint8Array;
  readonly now: number;
  /** Undefined: the session is not renewed. */
  readonly renewal: SessionRenewal | undefined;
  /** When a provider shall be asked about an account again; undefined: not now. */
  readonly ask:
    | {
        /** Whoever was last confirmed at this time or before. */
        readonly confirmedUntil: number;
        /** But not if it was last asked after this time. */
        readonly askedUntil: number;
      }
    | undefined;
}

export interface SessionRenewal {
  /** The session is renewed if it ends within this many milliseconds. */
  readonly withinMs: number;
  /** The token's successor, made from the token and `salt`. */
  readonly tokenHash: Uint8Array;
  readonly salt: Uint8Array;
  readonly expireTime: number;
  /** Until when the token so far works. */
  readonly oldTokenExpireTime: number;
}

export type SessionCheckOutcome =
  | {
      readonly outcome: "live";
      readonly user: User;
      readonly session: Session;
      /** The salt of the token's successor; undefined while the token is the one to use. */
      readonly successorSalt: Uint8Array | undefined;
      /** The social account whose provider the caller shall ask now; undefined for none. */
      readonly dueAccount: DueAccount | undefined;
    }
  | { readonly outcome: "unknown" }
  | { readonly outcome: "user_not_active" };

/** A social account whose provider was not asked for long. */
export interface DueAccount {
  readonly provider: string;
  readonly socialId: string;
  readonly sealedCredentials: string;
}
