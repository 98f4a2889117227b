import { randomUUID } from "node:crypto";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import { internalError, toConnectError } from "./error-status.ts";
import { requestFault } from "./request-errors.ts";
import type { Shutdown } from "./shutdown.ts";

export interface GuardOptions {
  readonly log: Log;
  readonly shutdown: Shutdown;
  /** The largest request, for the error that names it; in bytes. */
  readonly maxRequestBytes: number;
  /**
   * For services of gRPC's own contracts (health, reflection). They answer while the server drains.
   * Their ConnectErrors pass as they are, without a reason of Usher's.
   */
  readonly infrastructure?: boolean;
}

type Refuse = (error: unknown) => ConnectError;
type Handler = (request: unknown, context: HandlerContext) => unknown;

/**
 * Wraps every method of a service. Calls are refused once the server drains. Errors leave only as
 * `toConnectError` shows them, also in the middle of a stream. Unexpected ones are logged. Errors
 * that the network throws into a stream of requests become faults of the request.
 */
export function guard<Service extends DescService>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
  options: GuardOptions,
): Partial<ServiceImpl<Service>> {
  const handlers = implementation as Readonly<Record<string, Handler | undefined>>;
  const guarded: Record<string, Handler> = {};
  for (const method of service.methods) {
    const handler = handlers[method.localName]?.bind(implementation);
    if (handler !== undefined) guarded[method.localName] = guardMethod(method, handler, options);
  }
  return guarded as Partial<ServiceImpl<Service>>;
}

function guardMethod(method: DescMethod, handler: Handler, options: GuardOptions): Handler {
  const { shutdown, maxRequestBytes, infrastructure = false } = options;
  const streamsIn =
    method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  return (request, context) => {
    const refuse: Refuse = (error) => refusal(error, method, context, options);
    try {
      if (shutdown.draining && !infrastructure) throw new UsherError("SHUTTING_DOWN");
      const input = streamsIn
        ? guardRequests(request as AsyncIterable<unknown>, maxRequestBytes)
        : request;
      const answer = handler(input, context);
      if (isPromise(answer)) {
        return answer.then(undefined, (error) => {
          throw refuse(error);
        });
      }
      return isStream(answer) ? wrapStream(answer, refuse) : answer;
    } catch (error) {
      throw refuse(error);
    }
  };
}

/** Returns the error that the caller sees, and logs what it hides. */
function refusal(
  error: unknown,
  method: DescMethod,
  context: HandlerContext,
  { log, infrastructure = false }: GuardOptions,
): ConnectError {
  if (infrastructure && error instanceof ConnectError) return error;
  const shown = toConnectError(endOf(context.signal, error) ?? error);
  const rpc = `${method.parent.typeName}/${method.name}`;
  if (shown.code === Code.Internal) {
    const requestId = randomUUID();
    // A header, so that whoever saw the error can point at the line of the log.
    shown.metadata.set("x-request-id", requestId);
    log.error({ requestId, rpc, err: error }, "a call failed unexpectedly");
  } else if (error instanceof UsherError && error.reason === "STORAGE_UNAVAILABLE") {
    log.warn({ rpc, err: error.cause ?? error }, "the database did not answer a call");
  }
  return shown;
}

/**
 * Why the call ended, if the handler failed because of that. An abort says little by itself, and
 * Connect's reason for a caller that has gone can be anything.
 */
function endOf(signal: AbortSignal, error: unknown): UsherError | ConnectError | undefined {
  if (!signal.aborted || !(error === signal.reason || isAbort(error))) return undefined;
  const reason: unknown = signal.reason;
  if (reason instanceof UsherError) return reason;
  if (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded) return reason;
  return new ConnectError("the caller has gone", Code.Canceled);
}

function isAbort(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.Canceled;
  return error instanceof Error && error.name === "AbortError";
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise;
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function guardRequests(requests: AsyncIterable<unknown>, maxBytes: number): AsyncIterable<unknown> {
  return wrapStream(requests, (error) => {
    if (error instanceof UsherError) return error;
    // Anything else that breaks the stream of requests is a broken connection.
    if (!(error instanceof ConnectError))
      return new ConnectError("the call broke off", Code.Canceled);
    return (
      requestFault(error, maxBytes) ?? (error.code === Code.Internal ? internalError(error) : error)
    );
  });
}

/**
 * The same stream with its errors replaced. A generator around it would cost a turn for each
 * message.
 */
function wrapStream(
  stream: AsyncIterable<unknown>,
  replace: (error: unknown) => unknown,
): AsyncIterable<unknown> {
  const rethrow = (error: unknown): never => {
    throw replace(error);
  };
  return {
    [Symbol.asyncIterator]() {
      const iterator = stream[Symbol.asyncIterator]();
      const { return: end, throw: fail } = iterator;
      const wrapped: AsyncIterator<unknown> = {
        next: () => iterator.next().then(undefined, rethrow),
      };
      if (end !== undefined) {
        wrapped.return = (value) => end.call(iterator, value).then(undefined, rethrow);
      }
      if (fail !== undefined) {
        wrapped.throw = (error) => fail.call(iterator, error).then(undefined, rethrow);
      }
      return wrapped;
    },
  };
}
