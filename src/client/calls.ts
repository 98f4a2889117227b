import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { backoffMs } from "./backoff.ts";
import { UsherClientError } from "./errors.ts";
import type { Transport } from "./transport.ts";

export interface CallOptions {
  /**
   * How long the call may take, retries included, in milliseconds; then it fails with
   * DEADLINE_EXCEEDED. A request's own `wait` comes on top. Default: the client's `timeoutMs`; a
   * call that streams has none.
   */
  readonly timeoutMs?: number | undefined;
  /** Cancels the call, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A method for every RPC of a service that does not stream requests, typed by the proto. */
export type Calls<Service extends DescService> = {
  readonly [Name in keyof UnaryMethods<Service>]: UnaryMethods<Service>[Name] extends Method<
    infer Input,
    infer Output
  >
    ? (request: MessageInitShape<Input>, options?: CallOptions) => Promise<MessageShape<Output>>
    : never;
} & {
  readonly [Name in keyof StreamingMethods<Service>]: StreamingMethods<Service>[Name] extends Method<
    infer Input,
    infer Output
  >
    ? (
        request: MessageInitShape<Input>,
        options?: CallOptions,
      ) => AsyncGenerator<MessageShape<Output>, void, undefined>
    : never;
};

/** For every unary RPC, whether the client may repeat a call whose answer was lost. */
export type Retries<Service extends DescService> = {
  readonly [Name in keyof UnaryMethods<Service>]: UnaryMethods<Service>[Name] extends Method<
    infer Input,
    DescMessage
  >
    ? boolean | ((request: MessageShape<Input>) => boolean)
    : never;
};

type Init = Record<string, unknown>;

interface Method<Input extends DescMessage, Output extends DescMessage> {
  input: Input;
  output: Output;
}

type MethodsOfKind<Service extends DescService, Kind extends string> = {
  [Name in keyof Service["method"] as Service["method"][Name] extends { methodKind: Kind }
    ? Name
    : never]: Service["method"][Name];
};
type UnaryMethods<Service extends DescService> = MethodsOfKind<Service, "unary">;
type StreamingMethods<Service extends DescService> = MethodsOfKind<Service, "server_streaming">;

/** Makes the methods of a service. `timeoutMs` is the default of each call. */
export function createCalls<Service extends DescService>(
  service: Service,
  retries: Retries<Service>,
  transport: Transport,
  timeoutMs: number,
): Calls<Service> {
  const calls: Record<string, unknown> = {};
  const rules = retries as Readonly<Record<string, boolean | ((request: unknown) => boolean)>>;
  for (const method of service.methods) {
    if (method.methodKind === "unary") {
      const unary = method as DescMethodUnary;
      const rule = rules[method.localName] ?? false;
      calls[method.localName] = async (init: Init, options: CallOptions = {}) => {
        const request = create(method.input, init);
        const mayRepeat = typeof rule === "function" ? rule(request) : rule;
        return callUnary(transport, unary, request, mayRepeat, { timeoutMs, ...options });
      };
    } else if (method.methodKind === "server_streaming") {
      const streaming = method as DescMethodServerStreaming;
      calls[method.localName] = (init: Init, options: CallOptions = {}) =>
        callStreaming(transport, streaming, create(method.input, init), options);
    }
  }
  return calls as Calls<Service>;
}

async function callUnary(
  transport: Transport,
  method: DescMethodUnary,
  request: MessageShape<DescMessage>,
  mayRepeat: boolean,
  { timeoutMs = Infinity, signal }: CallOptions,
): Promise<MessageShape<DescMessage>> {
  const endsAt = performance.now() + timeoutMs + waitOf(request);
  for (let failures = 1; ; failures++) {
    try {
      const deadline = Date.now() + endsAt - performance.now();
      return await transport.unary(method, request, { deadline, signal });
    } catch (error) {
      if (!mayRepeat || !(error instanceof UsherClientError) || !isPassing(error)) throw error;
      const delayMs = Math.max(backoffMs(failures), error.retryAfterMs ?? 0);
      if (performance.now() + delayMs >= endsAt) throw error;
      await sleep(delayMs, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

function callStreaming(
  transport: Transport,
  method: DescMethodServerStreaming,
  request: MessageShape<DescMessage>,
  { timeoutMs = Infinity, signal }: CallOptions,
) {
  return transport.serverStream(method, request, { deadline: Date.now() + timeoutMs, signal });
}

/** The server asks for a retry, or there was no server to answer. */
function isPassing({ code, reason, retryAfterMs }: UsherClientError): boolean {
  return code === "UNAVAILABLE" && (retryAfterMs !== undefined || reason === "");
}

/** How long the request itself asks the server to wait, in milliseconds. */
function waitOf(request: object): number {
  const { wait } = request as { wait?: Duration };
  return wait === undefined ? 0 : durationMs(wait);
}
