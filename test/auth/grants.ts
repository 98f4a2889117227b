import { createHash, randomBytes } from "node:crypto";
import type { Answer } from "./stand-in.ts";

/** What a login page was asked when it gave a code out. */
type Grant = Readonly<Record<string, string>>;

/** The codes and tokens that a stand-in has given out, and to whom they are good. */
export class Grants {
  readonly #codes = new Map<string, Grant>();
  readonly #tokens = new Map<string, Grant>();

  /** A login page that asks nothing and sends the browser straight back, with `extra`. */
  login(extra: Readonly<Record<string, string>> = {}): Answer {
    return (response, { url }) => {
      const grant = Object.fromEntries(url.searchParams);
      const code = randomBytes(24).toString("base64url");
      this.#codes.set(code, grant);
      const back = new URL(grant["redirect_uri"] ?? "");
      const parameters = { code, state: grant["state"] ?? "", ...extra };
      for (const [name, value] of Object.entries(parameters)) back.searchParams.set(name, value);
      response.writeHead(302, { location: back.href }).end();
    };
  }

  /** What a code was given for, once; undefined if it is not good for this request. */
  redeem(request: URLSearchParams): Grant | undefined {
    const code = request.get("code") ?? "";
    const grant = this.#codes.get(code);
    this.#codes.delete(code);
    if (grant?.["redirect_uri"] !== request.get("redirect_uri")) return undefined;
    const verifier = request.get("code_verifier") ?? "";
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const proven = (grant?.["code_challenge"] ?? challenge) === challenge;
    return proven ? grant : undefined;
  }

  /** A token that stands for a grant. */
  newToken(grant: Grant): string {
    const token = randomBytes(24).toString("base64url");
    this.#tokens.set(token, grant);
    return token;
  }

  /** What a token stands for; undefined if it was never given, or is no good any more. */
  find(token: string): Grant | undefined {
    return this.#tokens.get(token);
  }

  /** A token that is used up. */
  drop(token: string): void {
    this.#tokens.delete(token);
  }

  /** Users withdraw their consent: no token is good any more. */
  withdraw(): void {
    this.#tokens.clear();
  }
}
