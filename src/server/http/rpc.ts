import { Code, ConnectError, createConnectRouter, createContextValues } from "@connectrpc/connect";
import {
  createAsyncIterable,
  type UniversalHandler,
  type UniversalServerRequest,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
} from "@connectrpc/connect-node";
import { invalid, type UsherError } from "../../base/errors.ts";
import type { Log } from "../../logging/log.ts";
import { answerLost } from "../../wire/lost-answer.ts";
import { hasReason, internalError, toConnectError } from "../error-status.ts";
import { type JsonFault, jsonFault } from "../json-fault.ts";
import { requestFault } from "../request-errors.ts";
import type { ServedService } from "../served-service.ts";
import { type Correct, correctErrors } from "./connect-errors.ts";
import { type HttpRequest, type HttpResponse, jsonAnswer, send } from "./pages.ts";
import { RequestBody } from "./request-body.ts";
import { deliver } from "./send-answer.ts";
import { spellEnumsInFull } from "./short-enums.ts";

export interface RpcOptions {
  readonly services: readonly ServedService[];
  readonly log: Log;
  /** The largest request message, unpacked, in bytes. */
  readonly maxRequestBytes: number;
  /** Aborts when calls that still run are given up. */
  readonly abortSignal: AbortSignal;
}

/** Answers a call; returns false if the path is no RPC. */
export type RpcHandler = (request: HttpRequest, response: HttpResponse) => boolean;

const compressions = [compressionGzip, compressionBrotli];

// A mistyped field or text that is not UTF-8 must not pass in silence.
const jsonOptions = {
  ignoreUnknownFields: false,
  textDecoder: new TextDecoder("utf-8", { fatal: true }),
};

/** setTimeout overflows past this many milliseconds (24.8 days) and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Serves RPCs over Connect, gRPC-Web, gRPC and JSON. */
export function createRpcHandler(options: RpcOptions): RpcHandler {
  const { services, log, maxRequestBytes, abortSignal } = options;
  const router = createConnectRouter({
    acceptCompression: compressions,
    readMaxBytes: maxRequestBytes,
    jsonOptions,
    shutdownSignal: abortSignal,
  });
  for (const { service, implementation } of services) router.service(service, implementation);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (request, response) => {
    const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) return false;
    answer(handler, request, response, options).catch((error: unknown) => {
      const { code } = ConnectError.from(error, Code.Internal);
      if (code !== Code.Canceled && code !== Code.Aborted) {
        const rpc = `${handler.service.typeName}/${handler.method.name}`;
        log.debug({ rpc, err: error }, "an answer could not be delivered");
      }
      if (response.headersSent) response.destroy();
      else
        send(jsonAnswer(500, { code: "internal", message: "internal error" }), request, response);
    });
    return true;
  };
}

async function answer(
  handler: UniversalHandler,
  nodeRequest: HttpRequest,
  nodeResponse: HttpResponse,
  { log, maxRequestBytes }: RpcOptions,
): Promise<void> {
  // The unread rest of the body is dropped, so that the connection can be used again.
  nodeResponse.once("finish", () => nodeRequest.resume());
  const request = tryUniversal(nodeRequest, nodeResponse);
  if (request === undefined) {
    const message = "the host of the request is missing or malformed";
    send(jsonAnswer(400, { code: "invalid_argument", message }), nodeRequest, nodeResponse);
    return;
  }
  dropEndlessTimeout(request.header);
  const isJson = request.header.get("content-type")?.startsWith("application/json") ?? false;
  const body = new RequestBody(nodeRequest, isJson && !request.header.has("content-encoding"));

  // The body of a JSON request that could not be decoded, so that no handler has seen it, with
  // short names of enums in full.
  let respelled: Uint8Array<ArrayBuffer> | undefined;
  const correct: Correct = (error) => {
    if (hasReason(error)) return undefined;
    const fault = requestFault(error, maxRequestBytes);
    if (fault !== undefined) {
      const isUndecoded = isJson && fault.reason === "INVALID_PARAMS";
      if (!isUndecoded || isAmbiguous(error)) return toConnectError(fault);
      const json = body.json();
      const isRespelled = spellEnumsInFull(handler.method.input, json);
      const found = jsonFault(handler.method.input, json);
      // Without short names it may be right, or the decoder has more to say.
      if (isRespelled && found?.description === undefined) {
        respelled = Buffer.from(JSON.stringify(json));
      }
      return toConnectError(found === undefined ? fault : explained(fault, found));
    }
    const shown = internalError(error);
    if (error.code !== Code.Internal || error.rawMessage === shown.rawMessage) return undefined;
    const rpc = `${handler.service.typeName}/${handler.method.name}`;
    log.error({ rpc, err: error }, "an answer could not be sent");
    return shown;
  };
  const contextValues = createContextValues();
  let closed = false;
  nodeResponse.once("close", () => {
    closed = true;
    if (!wasWritten(nodeResponse)) answerLost(contextValues);
  });
  const call = async (again: Partial<UniversalServerRequest>): Promise<UniversalServerResponse> => {
    const answered = await handler({ ...request, body, contextValues, ...again });
    if (closed) answerLost(contextValues);
    return correctErrors(answered, compressions, correct);
  };
  let response = await call({});
  if (respelled !== undefined) {
    const header = new Headers(request.header);
    header.set("content-length", String(respelled.length));
    response = await call({ header, body: createAsyncIterable([respelled]) });
  }
  await deliver(explain(response), nodeResponse);
}

/** The fault of a JSON request, with the field in JSON's spelling and what JSON has there. */
function explained(fault: UsherError, { field, shown, description }: JsonFault): UsherError {
  return invalid(field, description ?? fault.violations[0]?.description ?? fault.message, shown);
}

/** A name that is there twice is refused, and JSON.parse would drop the first. */
function isAmbiguous({ rawMessage }: ConnectError): boolean {
  return rawMessage.includes("duplicate object key");
}

/** Whether all of a response that is closed has left for the network. */
function wasWritten(response: HttpResponse): boolean {
  return "stream" in response ? response.stream.writableFinished : response.writableFinished;
}

function tryUniversal(
  request: HttpRequest,
  response: HttpResponse,
): UniversalServerRequest | undefined {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, undefined);
  } catch {
    return undefined;
  }
}

/** A deadline too far away for a timer is none. */
function dropEndlessTimeout(header: Headers): void {
  const grpc = /^(\d{1,8})([HMS])$/.exec(header.get("grpc-timeout") ?? "");
  const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };
  const grpcMs = Number(grpc?.[1]) * (units[grpc?.[2] ?? ""] ?? 0);
  if (grpcMs > LONGEST_TIMEOUT_MS) header.delete("grpc-timeout");
  const connect = header.get("connect-timeout-ms") ?? "";
  if (/^\d{1,10}$/.test(connect) && Number(connect) > LONGEST_TIMEOUT_MS) {
    header.delete("connect-timeout-ms");
  }
}

/**
 * Connect refuses what is no call with a bare status. A person with curl needs a sentence, and a
 * client of Connect a code.
 */
function explain(response: UniversalServerResponse): UniversalServerResponse {
  const message = explanations[response.status];
  if (message === undefined || response.body !== undefined) return response;
  const header = new Headers(response.header);
  header.set("content-type", "application/json");
  if (response.status === 405) header.set("allow", "POST");
  const body = Buffer.from(`${JSON.stringify({ code: "unimplemented", message })}\n`);
  return { ...response, header, body: createAsyncIterable([body]) };
}

const explanations: Readonly<Record<number, string>> = {
  405: "RPCs are called with POST",
  415: "no such content type; for JSON, send Content-Type: application/json",
  505: "a stream in both directions needs HTTP/2",
};
