import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";

function parse(env: Record<string, string>) {
  return parseConfig({ env, readSecretFile: () => "" });
}

test("OpenID providers are named by their variables, as many as there are", () => {
  const parsed = parse({
    USHER_AUTH_OIDC_ACME_ISSUER: "https://acme.example/app/",
    USHER_AUTH_OIDC_ACME_SCOPE: "openid,offline_access",
    USHER_AUTH_OIDC_OTHER_CLIENT_ID: "usher",
    USHER_AUTH_OIDC_OTHER_CLIENT_AUTH: "client_secret_post",
  });
  assert.ok("config" in parsed);
  const { acme, other } = parsed.config.auth.oidc;
  assert.equal(acme?.issuer, "https://acme.example/app/", "kept to the letter");
  assert.deepEqual(acme?.scope, ["openid", "offline_access"]);
  assert.equal(acme?.clientAuth, "client_secret_basic");
  assert.equal(other?.issuer, undefined);
  assert.equal(other?.clientId, "usher");
  assert.equal(other?.clientAuth, "client_secret_post");
});

test("an issuer is an address without a query", () => {
  for (const issuer of ["acme", "ftp://acme.example", "https://acme.example/?a=b"]) {
    const parsed = parse({ USHER_AUTH_OIDC_ACME_ISSUER: issuer });
    assert.deepEqual(parsed, {
      faults: [
        `USHER_AUTH_OIDC_ACME_ISSUER: found "${issuer}"; allowed: an http:// or https:// URL without user, query and fragment`,
      ],
    });
  }
});

test("an OpenID provider cannot take the name of another provider", () => {
  const parsed = parse({ USHER_AUTH_OIDC_GOOGLE_ISSUER: "https://accounts.google.com" });
  const fault = "is the name of another provider; choose another name";
  assert.deepEqual(parsed, {
    faults: [`auth.oidc.google (USHER_AUTH_OIDC_GOOGLE): ${fault}`],
  });
});
