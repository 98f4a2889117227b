import { MongoNetworkError } from "mongodb";
import { Connection } from "mongodb/lib/cmap/connection.js";

const { writeCommand } = Connection.prototype;

/**
 * A command that the driver (7.9) writes to a socket which has just been destroyed is never answered:
 * `write` returns false, as it does where a socket is full, and the driver waits for it to be drained
 * or to fail, but all that such a socket does is close. Nothing ends that wait, `socketTimeoutMS`
 * neither, so that whoever waits, a group commit or a beat, would wait for ever.
 * Here the close ends it, as any other error of the network.
 */
export function failWritesToClosedSockets(): void {
  Connection.prototype.writeCommand = writeUnlessClosed;
}

async function writeUnlessClosed(
  this: Connection,
  command: unknown,
  options: unknown,
): Promise<void> {
  const { promise: closed, reject } = Promise.withResolvers<never>();
  const onClose = (): void => reject(new MongoNetworkError("the connection was closed"));
  this.socket.once("close", onClose);
  try {
    await Promise.race([writeCommand.call(this, command, options), closed]);
  } finally {
    this.socket.off("close", onClose);
  }
}
