import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { toHeaders } from "./metadata.ts";

/**
 * What a handler may ask about its call. Each part is made when it is first asked for. Most calls
 * ask for nothing, and headers and abort controllers cost more than a small call.
 */
export class GrpcContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly #call: ServerInterceptingCallInterface;
  readonly #metadata: Metadata;
  #abort: AbortController | undefined;
  #over = false;
  #reason: unknown;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethod, call: ServerInterceptingCallInterface, metadata: Metadata) {
    this.method = method;
    this.#call = call;
    this.#metadata = metadata;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `http://${this.#call.getHost()}/${this.service.typeName}/${this.method.name}`;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#over) this.#abort.abort(this.#reason ?? callOver);
    }
    return this.#abort.signal;
  }

  get timeoutMs(): () => number | undefined {
    const deadline = deadlineOf(this.#call);
    if (deadline === undefined) return () => undefined;
    // Counted on from here by a clock that nobody sets.
    const due = performance.now() + deadline - Date.now();
    return () => due - performance.now();
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= toHeaders(this.#metadata);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  /** The response's headers, if the handler has touched them. */
  get touchedHeader(): Headers | undefined {
    return this.#responseHeader;
  }

  /** The response's trailers, if the handler has touched them. */
  get touchedTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }

  /** The values of the call, if the handler has touched them. */
  get touchedValues(): ContextValues | undefined {
    return this.#values;
  }

  /**
   * Ends the context. `reason` tells what ended the call early, if anything did. Only the first
   * call counts.
   */
  end(reason?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason = reason;
    this.#abort?.abort(reason ?? callOver);
  }
}

/**
 * The reason of the signal after a call that ended well. It is made once: a stack trace is
 * expensive.
 */
const callOver = new ConnectError("the call is over", Code.Canceled);

/** No timer is as late as this; in milliseconds. */
const LATEST_TIMER_MS = 60_000;

/**
 * The deadline of the call, in milliseconds since the Unix epoch. grpc-js keeps time-outs in 32
 * bits and turns some beyond 24.8 days into times long past. Those count as no deadline.
 */
export function deadlineOf(call: ServerInterceptingCallInterface): number | undefined {
  const deadline = Number(call.getDeadline());
  const sane = Number.isFinite(deadline) && deadline > Date.now() - LATEST_TIMER_MS;
  return sane ? deadline : undefined;
}
