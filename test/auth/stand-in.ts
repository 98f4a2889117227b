import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A request to a stand-in. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  /** What a POST has in its body. */
  readonly form: URLSearchParams;
  readonly authorization: string;
  readonly request: IncomingMessage;
}

/** What a provider's endpoint does. */
export type Answer = (response: ServerResponse, asked: Asked) => unknown;

interface Endpoint {
  readonly path: string;
  readonly answer: Answer;
}

export interface StandInParts<Call extends string> {
  /** Pages for browsers, which never misbehave. */
  readonly pages: readonly Endpoint[];
  /** What Usher calls. */
  readonly calls: Readonly<Record<Call, Endpoint>>;
}

/** A local server in place of a provider, which misbehaves on demand and remembers its calls. */
export interface StandIn<Call extends string = string> {
  readonly url: string;
  /** What a call answers in place of its normal answer. */
  readonly behaviour: { [Name in Call]?: Answer | undefined };
  /** Every call so far. */
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** Serves on a free port of 127.0.0.1. The parts may need to know where they are. */
export async function startStandIn<Call extends string>(
  makeParts: (url: string) => StandInParts<Call>,
): Promise<StandIn<Call>> {
  const behaviour: StandIn<Call>["behaviour"] = {};
  const asked: Asked[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  const { pages, calls } = makeParts(base);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call: Asked = {
      method: request.method ?? "",
      url: new URL(request.url ?? "/", base),
      form: new URLSearchParams(request.method === "POST" ? await text(request) : ""),
      authorization: request.headers.authorization ?? "",
      request,
    };
    const { pathname } = call.url;
    const page = pages.find(({ path }) => path === pathname);
    if (page !== undefined) {
      page.answer(response, call);
      return;
    }
    asked.push(call);
    const names = Object.keys(calls) as Call[];
    const name = names.find((candidate) => calls[candidate].path === pathname);
    if (name === undefined) response.writeHead(404).end("{}");
    else (behaviour[name] ?? calls[name].answer)(response, call);
  }

  return {
    url: base,
    behaviour,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers with a body as it is. */
export function says(status: number, body: string, type = "application/json"): Answer {
  return (response) => response.writeHead(status, { "content-type": type }).end(body);
}

/** Answers with JSON. */
export function answerJson(response: ServerResponse, status: number, body: object): void {
  says(status, JSON.stringify(body))(response, undefined as never);
}

/** Accepts the request and never answers. */
export const hangs: Answer = () => {};

/** Answers the headers and half of the body, then nothing. */
export const hangsInTheBody: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"access_token":"half');
};

/** Sends a byte now and then, for ever. */
export const drips: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  const timer = setInterval(() => response.write(" "), 50);
  response.on("close", () => clearInterval(timer));
};

/** Closes the connection without a word. */
export const hangsUp: Answer = (response) => response.destroy();

/** Sends as many bytes of JSON as it can get rid of, up to `bytes`. */
export function sends(bytes: number): Answer {
  const chunk = Buffer.alloc(64 * 1024, "x");
  return (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write('{"id":"');
    let left = bytes;
    const push = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", push);
          return;
        }
      }
      response.end('"}');
    };
    push();
  };
}

/** Sends the client elsewhere, to a place that would answer well. */
export const redirects: Answer = (response) =>
  response.writeHead(302, { location: "/elsewhere" }).end('{"access_token":"t","id":"1"}');

/** Tells everything it was asked, as an error page may. */
export const quotesTheRequest: Answer = (response, asked) =>
  says(500, `<html><pre>${everythingIn(asked)}</pre></html>`, "text/html")(response, asked);

/** The same in a well-formed refusal. */
export const quotesInARefusal: Answer = (response, asked) => {
  const words = everythingIn(asked);
  const error = { message: words, type: words, code: 2, fbtrace_id: words };
  answerJson(response, 400, { error, error_description: words });
};

/** The same where a word is expected. */
export const quotesAsTheError: Answer = (response, asked) =>
  answerJson(response, 400, { error: everythingIn(asked) });

function everythingIn({ url, form, authorization }: Asked): string {
  return `${url.href} ${form} ${authorization}`;
}
