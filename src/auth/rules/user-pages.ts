import { LARGEST_ANSWER_BYTES } from "../../base/answer-size.ts";
import type { User, UserPage, UserQuery } from "../repository.ts";

/** A page looks at so many users beyond those that it lists, so that no call is slow. */
const MOST_PASSED_OVER = 1_000;

/**
 * In an answer a user and a social account take so much more than in JSON here: their times and
 * states are longer there.
 */
const USER_BYTES = 128;
const ACCOUNT_BYTES = 32;

/** The last character of Unicode. Every text with a prefix sorts before the prefix and this. */
const LAST_CHARACTER = "\u{10ffff}";

/** The order in which a list walks over users. It follows the filter that leaves the fewest. */
export type UserWalk = "email" | "provider" | "state" | "all";

export function userWalk({ emailKeyPrefix, provider, state }: UserQuery): UserWalk {
  if (emailKeyPrefix !== "") return "email";
  if (provider !== "") return "provider";
  return state === undefined ? "all" : "state";
}

/** Texts with a prefix come before this. */
export function prefixEnd(prefix: string): string {
  return prefix + LAST_CHARACTER;
}

/** Fills one page with the users that a walk comes to. */
export class UserPageBuilder {
  /** How many users the walk may look at. */
  readonly mostSeen: number;
  readonly #limit: number;
  readonly #users: User[] = [];
  #seen = 0;
  #last: string;
  #isFull = false;
  #bytes = 0;

  constructor({ limit, after = "" }: UserQuery) {
    this.mostSeen = limit + MOST_PASSED_OVER;
    this.#limit = limit;
    this.#last = after;
  }

  /**
   * Takes the next user of the walk. Returns false, and the walk is over, if the page has no room
   * for it.
   */
  take(place: string, isListed: boolean, toUser: () => User): boolean {
    if (isListed) {
      const user = this.#users.length < this.#limit ? toUser() : undefined;
      if (user === undefined || !this.#hasRoom(user)) {
        this.#isFull = true;
        return false;
      }
      this.#users.push(user);
    }
    this.#last = place;
    this.#seen++;
    return true;
  }

  /** Counts a user in, if the answer may be so large. The first always has room. */
  #hasRoom(user: User): boolean {
    this.#bytes += mostBytes(user);
    return this.#users.length === 0 || this.#bytes <= LARGEST_ANSWER_BYTES;
  }

  page(): UserPage {
    const goesOn = this.#isFull || this.#seen === this.mostSeen;
    return { users: this.#users, next: goesOn ? this.#last : undefined };
  }
}

/** The most that a user takes in an answer. In JSON that is more than in protobuf. */
function mostBytes(user: User): number {
  const beside = USER_BYTES + ACCOUNT_BYTES * user.socialAccounts.length;
  return Buffer.byteLength(JSON.stringify(user)) + beside;
}
