/** Bare connect-node over HTTP/1.1: a server that answers a Put with the payload it was sent. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";

const answer = connectNodeAdapter({
  routes: (router) =>
    router.service(QueueService, {
      put: ({ task }) => ({ task: task?.payload === undefined ? {} : { payload: task.payload } }),
    }),
});
const server = createServer(answer).listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`listening 127.0.0.1:${port}\n`);
});
