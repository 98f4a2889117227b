import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClientOptions, TubeKind, UsherClient } from "../../src/client/index.ts";
import { startService } from "../support/service.ts";

/** A client that is closed with the test. */
export function connectTo(t: TestContext, address: string, options?: ClientOptions): UsherClient {
  const client = UsherClient.connect(address, options);
  t.after(() => client.close());
  return client;
}

/** The whole service in this process, and a client of it. */
export async function startWithClient(t: TestContext): Promise<UsherClient> {
  let client: UsherClient | undefined;
  // First, so that its streams do not hold up the service's end.
  t.after(() => client?.close());
  client = UsherClient.connect((await startService(t)).grpcAddress);
  return client;
}

/** Makes a tube and answers its name. */
export async function createTube(
  { queue }: UsherClient,
  kind: TubeKind = TubeKind.FIFO,
  settings: { name?: string; capacity?: bigint } = {},
): Promise<string> {
  const { tube } = await queue.createTube({ tube: { name: "jobs", kind, ...settings } });
  return tube?.name ?? "";
}

/** What the server counts for a tube, as numbers. */
export async function countsOf({ queue }: UsherClient, tube: string) {
  const { tubes } = await queue.getStatistics({ tube });
  const { ready, leased, delayed, buried } = tubes[0]?.tasks ?? {};
  return {
    ready: Number(ready),
    leased: Number(leased),
    delayed: Number(delayed),
    buried: Number(buried),
    done: Number(tubes[0]?.done),
    putCalls: Number(tubes[0]?.calls?.put),
    ackCalls: Number(tubes[0]?.calls?.ack),
  };
}

/** Looks again and again until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(5);
}

/** The network between a client and a server, to be cut. */
export interface Relay {
  readonly address: string;
  /** Breaks every connection; new ones are refused until `mend`. */
  cut(): void;
  mend(): void;
}

export async function startRelay(t: TestContext, target: string): Promise<Relay> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), host);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
  };
}
