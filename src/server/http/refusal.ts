import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { toConnectError } from "../error-status.ts";
import { type HttpRequest, type HttpResponse, send } from "./pages.ts";

/**
 * Refuses a request before its body is read: in the form of Connect's errors, which people with curl
 * can read as well, or of gRPC to its callers.
 */
export function refuse(error: unknown, request: HttpRequest, response: HttpResponse): void {
  // The unread body is dropped, so that the connection can be used again.
  response.once("finish", () => request.resume());
  const shown = toConnectError(error);
  const contentType = request.headers["content-type"] ?? "";
  if (contentType.startsWith("application/grpc")) {
    const headers = new Headers({ "content-type": contentType });
    setTrailerStatus(headers, shown);
    headers.forEach((value, name) => {
      response.setHeader(name, value);
    });
    // gRPC reads a status among the headers where nothing follows them.
    response.end();
    return;
  }
  const body = Buffer.from(errorToJsonBytes(shown, undefined)).toString();
  const status = codeToHttpStatus(shown.code);
  send({ status, contentType: "application/json", body: `${body}\n` }, request, response);
}
