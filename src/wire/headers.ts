import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** Headers as node:http2 has them, without the pseudo-headers, which are none of HTTP's. */
export function webHeaders(headers: IncomingHttpHeaders | OutgoingHttpHeaders): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":")) continue;
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined) all.append(name, String(each));
    }
  }
  return all;
}
