import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that Linux gives to outgoing connections (from 32,768 on). */
const PORTS = { from: 20_000, to: 32_000 };

/**
 * A free port of 127.0.0.1 that is still free when its server comes back after a while. One that the
 * system hands out may be taken meanwhile, even by a client's own attempts to connect to it.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(PORTS.from, PORTS.to);
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return freePort();
  }
  server.close();
  await once(server, "close");
  return port;
}
