import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Addresses } from "./service.ts";

/** A network between clients and a server, which can fail. */
export interface Relay {
  /** Host and port, to be used in place of the server's. */
  readonly address: string;
  /** Every connection breaks off, as when a machine loses its power and its address is reused. */
  cut(): void;
  /** What the server sends is not carried on until `resume`; what clients send is. */
  stall(): void;
  resume(): void;
}

export async function startRelay(t: TestContext, to: string): Promise<Relay> {
  const [host, port] = to.split(":");
  const pairs = new Set<readonly [client: Socket, server: Socket]>();
  let stalled = false;
  const relay = createServer((client) => {
    const server = connect({ host: host ?? "", port: Number(port) });
    const pair = [client, server] as const;
    pairs.add(pair);
    client.pipe(server);
    server.on("data", (bytes) => {
      if (!client.write(bytes)) server.pause();
    });
    client.on("drain", () => {
      if (!stalled) server.resume();
    });
    if (stalled) server.pause();
    for (const socket of pair) {
      // A reset is what this is for.
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        client.destroy();
        server.destroy();
      });
    }
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const address = relay.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cut = (): void => {
    for (const [client, server] of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };
  t.after(() => {
    cut();
    relay.close();
  });
  return {
    address: `127.0.0.1:${address.port}`,
    cut,
    stall() {
      stalled = true;
      for (const [, server] of pairs) server.pause();
    },
    resume() {
      stalled = false;
      for (const [, server] of pairs) server.resume();
    },
  };
}

/** Where clients find a service behind a relay, whichever way they come. */
export function through({ address }: Relay): Addresses {
  return { grpcAddress: address, httpAddress: address };
}
