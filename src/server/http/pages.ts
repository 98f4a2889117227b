import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Writable } from "node:stream";
import type { Readiness } from "../readiness.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** The answer of a page. */
export interface PageAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page for GET and HEAD. It has no parameters. */
export type Page = () => PageAnswer | Promise<PageAnswer>;

export function jsonAnswer(status: number, value: object): PageAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value)}\n` };
}

/** Answers with a page; 405 to what is neither GET nor HEAD, 500 if the page throws. */
export async function servePage(
  page: Page,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    const refusal = jsonAnswer(405, {
      code: "unimplemented",
      message: "this page is read with GET",
    });
    send({ ...refusal, headers: { allow: "GET, HEAD" } }, request, response);
    return;
  }
  let answer: PageAnswer;
  try {
    answer = await page();
  } catch {
    answer = jsonAnswer(500, { code: "internal", message: "internal error" });
  }
  send(answer, request, response);
}

/** Answers, unless the connection is gone or an answer has begun. */
export function send(answer: PageAnswer, request: HttpRequest, response: HttpResponse): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = answer.status;
  response.setHeader("content-type", answer.contentType);
  response.setHeader("content-length", Buffer.byteLength(answer.body));
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  const body: Writable = response;
  body.end(request.method === "HEAD" ? "" : answer.body);
}

/** The page /healthz: the process is alive. It says nothing about the database. */
export const alivePage: Page = () => jsonAnswer(200, { status: "alive" });

/** The page /readyz: whether calls should be sent here. */
export function readyPage(readiness: Readiness): Page {
  return async () => {
    const { reason, warning } = await readiness();
    return reason === undefined
      ? jsonAnswer(200, { status: "ready", warning })
      : jsonAnswer(503, { status: "not ready", reason });
  };
}
