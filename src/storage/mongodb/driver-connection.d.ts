/**
 * The part of the driver's connection that closed-socket-workaround.ts mends. The driver has no
 * types of it.
 */
declare module "mongodb/lib/cmap/connection.js" {
  import type { Socket } from "node:net";

  export class Connection {
    readonly socket: Socket;
    writeCommand(command: unknown, options: unknown): Promise<void>;
  }
}
