import type { AddressInfo, Server, Socket } from "node:net";
import type { Log } from "../logging/log.ts";

/** Where to listen; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** One open listener. */
export interface Listener {
  /** With the real port: "127.0.0.1:50051". */
  readonly address: string;
  /** Takes no more connections and tells clients to go. Resolves when the last one has gone. */
  close(): Promise<void>;
  /** Cuts the connections that are left. */
  destroy(): void;
}

/** After this much silence TCP asks whether the other end is still there; milliseconds. */
export const TCP_KEEP_ALIVE_MS = 60_000;

/** The most calls at once on one HTTP/2 connection. Further ones wait at the client. */
export const MAX_CONCURRENT_CALLS = 20_000;

/** A listener could not be opened; the message is one line for the operator. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

const causes: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EACCES: "this user may not open that port",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no such host",
};

/**
 * Opens a listener and returns its address with the real port, such as "127.0.0.1:50051" or
 * "[::1]:8080". Throws ListenError that names the address and `setting`.
 */
export async function listen(
  server: Server,
  { host, port }: ListenAddress,
  setting: string,
  log: Log,
): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = causes[code] ?? (cause instanceof Error ? cause.message : String(cause));
    const where = formatAddress({ host, port });
    throw new ListenError(`cannot listen on ${where} (${setting}): ${why}`, { cause });
  }
  // For example too many open files. The next connection may find room.
  server.on("error", (error) => log.error({ err: error }, "a connection could not be accepted"));
  const { address, port: realPort } = server.address() as AddressInfo;
  return formatAddress({ host: address, port: realPort });
}

/** How long a client may take to close its side; in milliseconds. */
const LINGER_MS = 250;

/**
 * Cuts each connection soon after all was sent over it and this side is closed. A client that
 * leaves its answers unread would keep it half-open.
 */
export function lingerBriefly(sockets: Iterable<Socket>): void {
  for (const socket of sockets) {
    const cut = (): void => {
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    };
    if (socket.writableFinished) cut();
    else socket.once("finish", cut);
  }
}

function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
