import type { AuthRepository } from "../../../src/auth/repository.ts";
import type * as conformance from "../cases.ts";

/** Cases by the words of the obligation in src/auth/repository.ts that each one proves. */
export type Cases = conformance.Cases<AuthRepository>;
