import type { AuthRepository } from "../../../src/auth/repository.ts";

/** A storage with a database of its own, for one case. */
export interface StorageUnderTest {
  readonly name: string;
  /** Opens the database; after `close`, the same one again. */
  open(): Promise<AuthRepository>;
  close(): Promise<void>;
}

/** Cases by the words of the obligation in src/auth/repository.ts that each one proves. */
export type Cases = Readonly<Record<string, (storage: StorageUnderTest) => Promise<void>>>;
