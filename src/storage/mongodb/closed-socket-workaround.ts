import { MongoNetworkError } from "mongodb";
import { Connection } from "mongodb/lib/cmap/connection.js";

const { writeCommand } = Connection.prototype;

/**
 * A command that the driver (7.9) writes to a socket which has just been destroyed is never
 * answered. `write` returns false, as on a full socket, and the driver waits until it drains or
 * fails, but such a socket only closes. `socketTimeoutMS` does not end that wait, so that a group
 * commit or a beat would wait for ever. Here the close ends it, as any other error of the network.
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
