import type { User, UserPage, UserQuery } from "../repository.ts";

/** A page looks at so many users beyond those that it lists, so that no call is slow. */
const MOST_PASSED_OVER = 1_000;

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
      if (this.#users.length === this.#limit) {
        this.#isFull = true;
        return false;
      }
      this.#users.push(toUser());
    }
    this.#last = place;
    this.#seen++;
    return true;
  }

  page(): UserPage {
    const goesOn = this.#isFull || this.#seen === this.mostSeen;
    return { users: this.#users, next: goesOn ? this.#last : undefined };
  }
}
