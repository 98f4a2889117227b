/** Bare grpc-js: a server that answers every call with the bytes it was sent. */
import { Server, ServerCredentials, type UntypedHandleCall } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Buffer => bytes;
const echo: UntypedHandleCall = (
  call: { request: Buffer },
  answer: (error: null, message: Buffer) => void,
) => answer(null, call.request);

const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(
  {
    Echo: {
      path: "/bench.Echo/Echo",
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
  { Echo: echo },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`listening 127.0.0.1:${port}\n`);
});
