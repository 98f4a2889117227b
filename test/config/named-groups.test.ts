import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { parseSettings } from "../../src/config/parse.ts";
import { listSettings } from "../../src/config/setting-tree.ts";
import { duration, flag, secret, text } from "../../src/config/setting-types.ts";

const schema = z.object({
  auth: z.object({
    oidc: z.record(
      z.string(),
      z.object({
        issuer: text("Who signs."),
        clientSecret: secret("The proof."),
        trustEmail: flag(false, "Whether its emails are verified."),
        requestTimeout: duration("3s", "How long it may take."),
      }),
    ),
  }),
});

function parse(file: string, env: Record<string, string> = {}) {
  return parseSettings(schema, { file, env, readSecretFile: (name) => `content of ${name}` });
}

test("groups are named by the user, alike in the file and in variables", () => {
  const file = "auth: {oidc: {acme: {issuer: https://a, trust_email: true}, acme_corp: {}}}";
  const env = {
    USHER_AUTH_OIDC_ACME_ISSUER: "https://b",
    USHER_AUTH_OIDC_ACME_CORP_CLIENT_SECRET_FILE: "secret",
    USHER_AUTH_OIDC_OTHER_REQUEST_TIMEOUT: "1s",
  };
  assert.deepEqual(parse(file, env), {
    config: {
      auth: {
        oidc: {
          acme: { issuer: "https://b", trustEmail: true, requestTimeout: 3_000 },
          acme_corp: {
            clientSecret: "content of secret",
            trustEmail: false,
            requestTimeout: 3_000,
          },
          other: { trustEmail: false, requestTimeout: 1_000 },
        },
      },
    },
  });
});

test("without any name the groups are empty", () => {
  assert.deepEqual(parse(""), { config: { auth: { oidc: {} } } });
});

test("a fault in a named group names it as the user wrote it", () => {
  const file = "auth:\n  oidc:\n    acme:\n      trust_email: 1\n      isuer: x\n    Acme: {}\n";
  const env = { USHER_AUTH_OIDC_B_REQUEST_TIMEOUT: "1", USHER_AUTH_OIDC_ISSUER: "x" };
  const allowed = "a duration such as 500ms, 3s, 15m, 12h or 7d, from 1ms to 3650d";
  assert.deepEqual(parse(file, env), {
    faults: [
      "auth.oidc.acme.isuer (line 5): no such setting; did you mean auth.oidc.acme.issuer?",
      "auth.oidc.Acme (line 6): a name is a letter, then letters, digits and _, all small",
      "USHER_AUTH_OIDC_ISSUER: no such setting",
      'auth.oidc.acme.trust_email (line 4): found "1"; allowed: true or false',
      `USHER_AUTH_OIDC_B_REQUEST_TIMEOUT: found "1"; allowed: ${allowed}`,
    ],
  });
});

test("the settings page has one row for all of them", () => {
  const paths = listSettings(schema).map((setting) => setting.path.join("."));
  assert.equal(paths[0], "auth.oidc.<name>.issuer");
});
