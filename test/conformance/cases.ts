/** A storage with a database of its own, for one case. */
export interface StorageUnderTest<Port> {
  readonly name: string;
  /** Opens the database; after `close`, the same one again. */
  open(): Promise<Port>;
  close(): Promise<void>;
}

/** Cases by the words of the port's obligation that each one proves. */
export type Cases<Port> = Readonly<
  Record<string, (storage: StorageUnderTest<Port>) => Promise<void>>
>;

/** What every storage of a port is held to, by topic. */
export type Suite<Port> = Readonly<Record<string, Cases<Port>>>;
