import type { ClientSession } from "mongodb";
import type { NewAuditEvent, NewMail, Revocation } from "../../../auth/repository.ts";
import type { AuthCollections } from "./schema.ts";

export type NewRevocation = Omit<Revocation, "sequence">;

/** What reads run on. Every operation is given these options. */
export interface AuthReader {
  readonly in: AuthCollections;
  /** This instance, and how to tell which others live. */
  readonly instances: Instances;
  readonly options: { readonly session?: ClientSession };
}

export interface Instances {
  /** The id of this instance in the registry of shards. */
  readonly own: string;
  /** Those of these ids whose life is not over. */
  living(ids: readonly string[]): Promise<ReadonlySet<string>>;
}

/** A transaction under way. Events, mail and revocations are collected, and written at its end. */
export interface AuthTransaction extends AuthReader {
  readonly events: NewAuditEvent[];
  readonly mail: NewMail[];
  readonly revocations: NewRevocation[];
}

/** What the steps of each topic run on. */
export interface AuthTransactions {
  /**
   * Runs `work` in one durable transaction, again where another one was in its way. `locks` name
   * documents that many steps write: the steps of this process that share a name go one by one.
   */
  step<T>(
    work: (transaction: AuthTransaction) => Promise<T>,
    locks?: readonly string[],
  ): Promise<T>;
  /** Runs operations that need no transaction. */
  alone<T>(work: (reader: AuthReader) => Promise<T>): Promise<T>;
}
