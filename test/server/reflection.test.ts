import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { collect, http2Transports, overGrpc, startTestServer, type TestServer } from "./harness.ts";

const run = promisify(execFile);
const BUF = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;

let server: TestServer;
before(async () => {
  server = await startTestServer({
    put: ({ tube, task }) => ({ task: { tube, id: 1n, payload: task?.payload } }),
    async *watch() {
      yield { message: { case: "missed", value: 1n } };
      yield { message: { case: "missed", value: 2n } };
    },
    async *work(requests) {
      for await (const _ of requests)
        yield { message: { case: "settled", value: { sequence: 3n } } };
    },
  });
});
after(() => server.close(0));

type Question = NonNullable<Parameters<typeof asRequests>[0][number]>;

async function* asRequests(
  questions: readonly (
    | { case: "fileByFilename" | "fileContainingSymbol"; value: string }
    | { case: "allExtensionNumbersOfType" | "listServices"; value: string }
    | {
        case: "fileContainingExtension";
        value: { containingType: string; extensionNumber: number };
      }
    | { case: undefined }
  )[],
) {
  for (const messageRequest of questions) yield { host: "h", messageRequest };
}

/** What the server answers to each question, all on one stream. */
async function ask(...questions: Question[]) {
  await using caller = overGrpc(server);
  const client = createClient(ServerReflection, caller.transport);
  const answers = await collect(client.serverReflectionInfo(asRequests(questions)));
  return answers.map(({ messageResponse }) => messageResponse);
}

async function filesOf(...questions: Question[]): Promise<FileDescriptorProto[][]> {
  return (await ask(...questions)).map((answer) => {
    assert.equal(answer.case, "fileDescriptorResponse");
    return answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
  });
}

const queueFile = "usher/queue/v1/queue.proto";

describe("reflection", () => {
  for (const [name, connect] of Object.entries(http2Transports)) {
    test(`${name}: lists the services, in v1 and v1alpha`, async () => {
      await using caller = connect(server);
      for (const service of [ServerReflection, ServerReflectionAlpha]) {
        const client = createClient(service, caller.transport);
        const questions = asRequests([{ case: "listServices", value: "" }]);
        const [answer] = await collect(client.serverReflectionInfo(questions));
        assert.equal(answer?.validHost, "h");
        assert.equal(answer.originalRequest?.messageRequest.case, "listServices");
        assert.equal(answer.messageResponse.case, "listServicesResponse");
        assert.deepEqual(
          answer.messageResponse.value.service.map((each) => each.name),
          [
            "usher.auth.v1.AuthService",
            "usher.queue.v1.QueueService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
          ],
        );
      }
    });
  }

  test("a file comes with all that it imports, itself first, and makes a whole registry", async () => {
    const [files = []] = await filesOf({ case: "fileByFilename", value: queueFile });
    assert.equal(files[0]?.name, queueFile);
    const names = files.map(({ name }) => name);
    assert.ok(names.includes("google/protobuf/duration.proto"), String(names));
    assert.equal(new Set(names).size, names.length);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(files) }));
    const service = registry.getService("usher.queue.v1.QueueService");
    assert.equal(service?.method["put"]?.name, "Put");
  });

  test("what is optional in the proto is optional in the answer", async () => {
    const [files = []] = await filesOf({
      case: "fileContainingSymbol",
      value: "usher.queue.v1.NewTask",
    });
    const message = files[0]?.messageType.find(({ name }) => name === "NewTask");
    const optional = message?.field.filter(({ proto3Optional }) => proto3Optional);
    assert.ok(optional?.some(({ name }) => name === "priority"));
  });

  test("a file is sent once on a stream, unless it is asked for by itself", async () => {
    const [first = [], second = [], third = []] = await filesOf(
      { case: "fileByFilename", value: queueFile },
      { case: "fileByFilename", value: "usher/queue/v1/tube.proto" },
      { case: "fileByFilename", value: queueFile },
    );
    assert.ok(first.length > 3);
    assert.deepEqual(
      second.map(({ name }) => name),
      ["usher/queue/v1/tube.proto"],
    );
    assert.deepEqual(
      third.map(({ name }) => name),
      [queueFile],
    );
  });

  const symbols: Readonly<Record<string, string>> = {
    "usher.queue.v1.QueueService": queueFile,
    "usher.queue.v1.QueueService.Put": queueFile,
    "usher.queue.v1.Task": "usher/queue/v1/task.proto",
    "usher.queue.v1.Task.id": "usher/queue/v1/task.proto",
    "usher.queue.v1.Payload.content": "usher/queue/v1/task.proto",
    "usher.queue.v1.TubeKind": "usher/queue/v1/tube.proto",
    "usher.queue.v1.TUBE_KIND_FIFO": "usher/queue/v1/tube.proto",
    "usher.auth.v1.AuthService.SocialAuth": "usher/auth/v1/auth.proto",
    "grpc.health.v1.HealthCheckResponse.ServingStatus": "health/v1/health.proto",
    "grpc.health.v1.HealthCheckResponse.SERVING": "health/v1/health.proto",
    "google.rpc.ErrorInfo": "google/rpc/error_details.proto",
    "google.rpc.BadRequest.FieldViolation": "google/rpc/error_details.proto",
    "google.protobuf.Duration": "google/protobuf/duration.proto",
  };
  test("files are found by what is in them: services, methods, messages, fields, enums", async () => {
    const found = await filesOf(
      ...Object.keys(symbols).map((value) => ({ case: "fileContainingSymbol" as const, value })),
    );
    assert.deepEqual(
      found.map(([file]) => file?.name),
      Object.values(symbols),
    );
  });

  test("what is not there is NOT_FOUND, and the stream goes on", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "no.proto" },
      { case: "fileContainingSymbol", value: "usher.Nothing" },
      { case: "fileContainingExtension", value: { containingType: "a.B", extensionNumber: 5 } },
      { case: "allExtensionNumbersOfType", value: "a.B" },
      { case: undefined },
      { case: "allExtensionNumbersOfType", value: "usher.queue.v1.Task" },
    );
    const codes = answers.map((answer) =>
      answer.case === "errorResponse" ? answer.value.errorCode : undefined,
    );
    const { NotFound, InvalidArgument } = Code;
    assert.deepEqual(codes, [NotFound, NotFound, NotFound, NotFound, InvalidArgument, undefined]);
    const last = answers.at(-1);
    assert.equal(last?.case, "allExtensionNumbersResponse");
    assert.deepEqual(last.value.extensionNumber, []);
  });
});

describe("buf curl, which knows nothing but what reflection tells it", () => {
  const curl = async (address: string, rpc: string, data: string, ...options: string[]) => {
    const url = `http://${address}/usher.queue.v1.QueueService/${rpc}`;
    const { stdout } = await run(BUF, [
      "curl",
      "--http2-prior-knowledge",
      "-d",
      data,
      ...options,
      url,
    ]);
    return stdout
      .trim()
      .split(/\n(?=\{)/)
      .map((each): unknown => JSON.parse(each));
  };
  for (const port of ["grpcAddress", "httpAddress"] as const) {
    const protocols = port === "grpcAddress" ? ["grpc"] : ["grpc", "grpcweb", "connect"];
    for (const protocol of protocols) {
      for (const version of ["grpc-v1", "grpc-v1alpha"]) {
        test(`${port}, ${protocol}, ${version}: calls and streams`, async () => {
          const options = ["--protocol", protocol, "--reflect", "--reflect-protocol", version];
          const task = { payload: { text: "t" } };
          const put = JSON.stringify({ tube: "a", task });
          assert.deepEqual(await curl(server[port], "Put", put, ...options), [
            { task: { tube: "a", id: "1", payload: { text: "t" } } },
          ]);
          assert.deepEqual(await curl(server[port], "Watch", "{}", ...options), [
            { missed: "1" },
            { missed: "2" },
          ]);
          assert.deepEqual(await curl(server[port], "Work", "{}", ...options), [
            { settled: { sequence: "3" } },
          ]);
        });
      }
    }
  }
});

/** Imports before what imports them. */
function inOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto): void => {
    for (const name of file.dependency) {
      const imported = byName.get(name);
      if (imported !== undefined) add(imported);
    }
    ordered.add(file);
  };
  for (const file of files) add(file);
  return [...ordered];
}
