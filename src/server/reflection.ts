import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest as V1Request,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as V1AlphaRequest,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import {
  type DescriptorIndex,
  encodeFile,
  indexDescriptors,
  withImports,
} from "./descriptor-index.ts";
import { type ServedService, served } from "./served-service.ts";

/**
 * grpc.reflection.v1 and v1alpha for `services` and themselves, from the descriptors that the
 * generated code carries. `extra` are files that no service imports, such as those of error
 * details.
 */
export function reflectionServices(
  services: readonly DescService[],
  extra: readonly DescFile[],
): ServedService[] {
  const all = [...services, ServerReflection, ServerReflectionAlpha];
  const names = all.map(({ typeName }) => typeName);
  const index = indexDescriptors([...all.map(({ file }) => file), ...extra]);
  const handlers = {
    serverReflectionInfo: <Incoming extends V1Request | V1AlphaRequest>(
      requests: AsyncIterable<Incoming>,
    ) => answerAll(requests, names, index),
  };
  return [served(ServerReflection, handlers), served(ServerReflectionAlpha, handlers)];
}

type Request = Pick<V1Request, "messageRequest"> | Pick<V1AlphaRequest, "messageRequest">;

async function* answerAll<Incoming extends V1Request | V1AlphaRequest>(
  requests: AsyncIterable<Incoming>,
  services: readonly string[],
  index: DescriptorIndex,
) {
  // A stream carries each file once, unless a request names the file itself.
  const sent = new Set<DescFile>();
  for await (const request of requests) {
    const messageResponse = answer(request, services, index, sent);
    yield { validHost: request.host, originalRequest: request, messageResponse };
  }
}

function answer(
  { messageRequest }: Request,
  services: readonly string[],
  index: DescriptorIndex,
  sent: Set<DescFile>,
) {
  switch (messageRequest.case) {
    case "fileByFilename":
      return files(index.byName(messageRequest.value), messageRequest.value, sent);
    case "fileContainingSymbol":
      return files(index.bySymbol(messageRequest.value), messageRequest.value, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      const file = index.byExtension(containingType, extensionNumber);
      return files(file, `extension ${extensionNumber} of ${containingType}`, sent);
    }
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      const numbers = index.extensionNumbers(baseTypeName);
      if (numbers === undefined) return failure(Code.NotFound, `not found: ${baseTypeName}`);
      const value = { baseTypeName, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse" as const, value };
    }
    case "listServices": {
      const value = { service: services.map((name) => ({ name })) };
      return { case: "listServicesResponse" as const, value };
    }
    default:
      return failure(Code.InvalidArgument, "the request asks for nothing");
  }
}

function files(file: DescFile | undefined, wanted: string, sent: Set<DescFile>) {
  if (file === undefined) return failure(Code.NotFound, `not found: ${wanted}`);
  const fresh = withImports(file).filter((each) => each === file || !sent.has(each));
  for (const each of fresh) sent.add(each);
  const value = { fileDescriptorProto: fresh.map(encodeFile) };
  return { case: "fileDescriptorResponse" as const, value };
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
