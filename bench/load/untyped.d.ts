declare module "mongodb-queue" {
  type Done<T> = (error: Error | null, result: T) => void;

  interface Queue {
    createIndexes(done: Done<string>): void;
    add(payloads: readonly string[], done: Done<string>): void;
    get(done: Done<{ ack: string; payload: string } | undefined>): void;
    ack(ack: string, done: Done<string>): void;
  }

  /** The database of a driver that still calls back, 3.x. */
  export default function mongodbQueue(database: object, name: string): Queue;
}

declare module "mongodb-legacy-driver" {
  interface Client {
    db(): object;
  }

  const driver: { MongoClient: { connect(url: string, options: object): Promise<Client> } };
  export default driver;
}
