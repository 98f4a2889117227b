import { isIP } from "node:net";
import { UsherError } from "../../base/errors.ts";
import { isLoopback } from "../../base/loopback.ts";

/** Throws HOST_NOT_ALLOWED for the host of a request that is none of the listener's names. */
export type CheckHost = (host: string) => void;

/** A name or an address with an optional port; no user, no path. */
const HOST = /^(?:\[(?<ipv6>[\da-f:.]+)\]|(?<name>[\w.-]+))(?::\d{0,5})?$/i;

/**
 * The check for a listener on `address`, or undefined where no host is checked. A name that somebody
 * else owns may point here (DNS rebinding): the pages of that name are then of one origin with this
 * listener, as browsers see it. `allowed` are further names and addresses.
 */
export function hostCheck(address: string, allowed: readonly string[]): CheckHost | undefined {
  const onLoopback = isLoopback(address);
  if (!onLoopback && allowed.length === 0) return undefined;
  const names = new Set(allowed.map(plainName));
  // Nobody can make an address point elsewhere. Those that do not lead to a listener are refused.
  const isOwn = (name: string): boolean =>
    isIP(name) === 0 ? isLocalName(name) : !onLoopback || isLoopback(name);
  return (host) => {
    const name = nameIn(host);
    if (name !== undefined && (isOwn(name) || names.has(name))) return;
    throw new UsherError("HOST_NOT_ALLOWED", {
      message: `the host ${JSON.stringify(host)} is none of this listener's names; http_allowed_hosts can allow it`,
    });
  };
}

/** The name or address in a Host header, without its port; undefined if it is no host. */
function nameIn(host: string): string | undefined {
  const { ipv6, name } = HOST.exec(host)?.groups ?? {};
  const found = ipv6 ?? name;
  return found === undefined ? undefined : plainName(found);
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** Browsers and resolvers keep these names on the machine itself. */
function isLocalName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}
