import { cors } from "@connectrpc/connect";
import { UsherError } from "../../base/errors.ts";
import type { HttpRequest, HttpResponse } from "./pages.ts";

/**
 * Lets a request pass, or refuses it with ORIGIN_NOT_ALLOWED. It sets the headers of CORS on the
 * answer, whatever that will be. Returns true if the request was a preflight, which is answered.
 */
export type CheckOrigin = (
  request: HttpRequest,
  response: HttpResponse,
  host: string | undefined,
) => boolean;

/** Stands for every origin in the setting. */
const ANY = "*";

/** Chromium keeps the answer to a preflight no longer; in seconds. */
const PREFLIGHT_MAX_AGE_S = 7_200;

const allowedMethods = cors.allowedMethods.join(", ");
const allowedHeaders = cors.allowedHeaders.join(", ");
// The id stands in the log beside what an unexpected error was.
const exposedHeaders = [...cors.exposedHeaders, "X-Request-Id"].join(", ");

/**
 * Scripts of web pages may call from the listener's own origin and from those that are allowed.
 * Only browsers send an Origin, and they do with every call by a script of another site.
 */
export function originCheck(allowed: readonly string[]): CheckOrigin {
  const origins = new Set(allowed);
  const anyone = origins.has(ANY);
  return (request, response, host) => {
    // Answers may be kept, and what CORS says depends on who asks.
    if (origins.size > 0 && !anyone) response.setHeader("vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || isOwn(origin, host)) return false;
    if (!anyone && !origins.has(origin)) {
      throw new UsherError("ORIGIN_NOT_ALLOWED", {
        message: `pages of the origin ${JSON.stringify(origin)} may not call; http_allowed_origins can allow it`,
      });
    }
    // There is no credential that a browser would add, so none is allowed, not even with `*`.
    response.setHeader("access-control-allow-origin", anyone ? ANY : origin);
    const isPreflight =
      request.method === "OPTIONS" && "access-control-request-method" in request.headers;
    if (isPreflight) answerPreflight(response);
    else response.setHeader("access-control-expose-headers", exposedHeaders);
    return isPreflight;
  };
}

function answerPreflight(response: HttpResponse): void {
  response.statusCode = 204;
  response.setHeader("access-control-allow-methods", allowedMethods);
  response.setHeader("access-control-allow-headers", allowedHeaders);
  response.setHeader("access-control-max-age", String(PREFLIGHT_MAX_AGE_S));
  response.end();
}

/** The listener speaks plain HTTP, so an origin of https is another one. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && withoutPort80(origin) === withoutPort80(`http://${host}`);
}

function withoutPort80(origin: string): string {
  return origin.toLowerCase().replace(/:80$/, "");
}
