/**
 * Runs in a browser: the generated client of QueueService on connect-web. `test/support/web-page.ts`
 * serves it.
 */
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { TubeKind } from "../../gen/usher/queue/v1/tube_pb.ts";

const transports = {
  "Connect JSON": (baseUrl: string) => createConnectTransport({ baseUrl }),
  Connect: (baseUrl: string) => createConnectTransport({ baseUrl, useBinaryFormat: true }),
  "gRPC-Web": (baseUrl: string) => createGrpcWebTransport({ baseUrl }),
};

export type WebTransport = keyof typeof transports;

const text = (value: string) => ({ payload: { content: { case: "text" as const, value } } });

/** Makes a tube, watches it, puts a task, takes it, and asks for a tube that is not there. */
export async function workInBrowser(name: WebTransport, baseUrl: string, tube: string) {
  const client = createClient(QueueService, transports[name](baseUrl));
  await client.createTube({ tube: { name: tube, kind: TubeKind.FIFO } });
  const watching = new AbortController();
  const changes = client.watch({ tube }, { signal: watching.signal })[Symbol.asyncIterator]();
  const change = changes.next();
  // Nothing says when a watch has begun, so there is a put until one is seen.
  const putting = setInterval(() => void client.put({ tube, task: text("hello") }), 50);
  const seen = await change;
  clearInterval(putting);
  watching.abort();
  const { tasks } = await client.take({ tube });
  const error = await reasonOf(client.getTube({ tube: "nothing" }));
  return {
    changed: seen.value?.message.case,
    taken: tasks[0]?.payload?.content.value,
    error,
  };
}

/** Calls once, with whatever comes of it. */
export async function callInBrowser(baseUrl: string): Promise<string | undefined> {
  return reasonOf(createClient(QueueService, transports["Connect"](baseUrl)).listTubes({}));
}

async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.rawMessage;
  }
}
