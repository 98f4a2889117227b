import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type GraphApp,
  type GraphPerson,
  type GraphStandIn,
  graphAnswers,
  startGraphStandIn,
} from "../../src/demo/graph-stand-in.ts";

/** What the Graph API can do instead of answering as it should. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** The Graph API's two calls, each with its normal answer unless it is given another. */
export interface Behaviour {
  token?: Answer | undefined;
  me?: Answer | undefined;
}

/** A stand-in for Facebook that misbehaves on demand and remembers what it was asked. */
export interface Graph extends GraphStandIn {
  readonly behaviour: Behaviour;
  /** Every request to the Graph API so far. */
  readonly asked: readonly { readonly method: string; readonly url: URL }[];
}

export async function startGraph(app: GraphApp, person: GraphPerson): Promise<Graph> {
  const normal = graphAnswers(app, person);
  const behaviour: Behaviour = {};
  const asked: { method: string; url: URL }[] = [];
  const standIn = await startGraphStandIn((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (url.pathname !== "/dialog/oauth") asked.push({ method: request.method ?? "", url });
    const other = { "/oauth/access_token": behaviour.token, "/me": behaviour.me }[url.pathname];
    if (other === undefined) normal(request, response);
    else other(response, request);
  });
  return { ...standIn, behaviour, asked };
}

/** Answers with a body as it is. */
export function says(status: number, body: string, type = "application/json"): Answer {
  return (response) => response.writeHead(status, { "content-type": type }).end(body);
}

/** A refusal in the form that the Graph API documents. */
export function oauthException(code: number, subcode?: number): Answer {
  const error = { message: "words", type: "OAuthException", code, error_subcode: subcode };
  return says(400, JSON.stringify({ error }));
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
