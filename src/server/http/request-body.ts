import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** A JSON body larger than this is not kept: to find the field at fault takes a while. */
const LONGEST_KEPT = 256 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * A request's body for Connect, which may stop reading early: the connection then lives on to
 * carry the answer. With `keep` the bytes are kept for `json`.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #request: IncomingMessage | Http2ServerRequest;
  #kept: Uint8Array[] | undefined;
  #length = 0;

  constructor(request: IncomingMessage | Http2ServerRequest, keep: boolean) {
    this.#request = request;
    this.#kept = keep ? [] : undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const chunks = this.#request.iterator({ destroyOnReturn: false });
    return {
      next: async () => {
        const next = await chunks.next();
        if (next.done !== true) this.#keep(next.value);
        return next;
      },
      return: async () => {
        await chunks.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** The body as JSON, if it was kept and is JSON. */
  json(): unknown {
    if (this.#kept === undefined) return undefined;
    try {
      return JSON.parse(utf8.decode(Buffer.concat(this.#kept)));
    } catch {
      return undefined;
    }
  }

  #keep(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > LONGEST_KEPT) this.#kept = undefined;
    this.#kept?.push(chunk);
  }
}
