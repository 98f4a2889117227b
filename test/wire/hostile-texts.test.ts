import assert from "node:assert/strict";
import { describe } from "node:test";
import { type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { parseEmail } from "../../src/auth/accounts/email.ts";
import { codes } from "../../src/server/error-status.ts";
import { signUp } from "../auth/accounts.ts";
import { test } from "../support/on-each-storage.ts";
import { callJson, clientOf, type JsonAnswer, startService } from "../support/service.ts";

const texts = {
  NUL: "a\0b",
  "NUL alone": "\0",
  "a lone surrogate": "ann\ud800@example.com",
  "a swapped pair": "\udc00\ud800",
  "1 MB": "x".repeat(1_000_000),
  "1 MB of emoji": "\u{1f600}".repeat(250_000),
  "1 MB of an email": `${"x".repeat(1_000_000)}@example.com`,
  "right to left": "\u202emoc.elpmaxe@nna\u202c",
  "Arabic and Hebrew": "مثال@אבג.example",
  emoji: "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}@example.com",
  "a look-alike": "\u0430nn@example.com",
  "full width": "ann\uff20example.com",
  "a ligature that grows": "\ufdfa".repeat(100),
  "combining marks": `a${"\u0301".repeat(10_000)}`,
  "a byte order mark": "\ufeffann@example.com",
  "line breaks": "ann@example.com\r\nbcc: bob@example.com",
  SQL: "ann'; DROP TABLE users; --",
  LIKE: "%_%",
  "a format": "%s%n{{7*7}}<%= 7 %>",
  JSON: '{"$gt":""}',
  "a path": "../../etc/passwd",
  "a prototype": "__proto__",
  spaces: " \t\u00a0\u2003\u3000 ",
};

/** What a call is made of besides the text that is hostile. */
const requests: Readonly<Record<string, JsonObject>> = {
  Register: { email: "new@example.com" },
  CompleteRegistration: { email: "ann@example.com", code: "code", password: "xkcd-fan-1" },
  GetUser: {},
  ListUsers: {},
  UpdateProfile: { userId: "ann", profile: { firstName: "Ann" } },
  ChangePassword: { userId: "ann", oldPassword: "xkcd-fan-1", newPassword: "xkcd-fan-2" },
  RequestPasswordReset: { email: "ann@example.com" },
  CompletePasswordReset: { email: "ann@example.com", resetToken: "token", password: "xkcd-fan-1" },
  DeactivateUser: { userId: "nobody" },
  ActivateUser: { userId: "nobody" },
  DeleteUser: { userId: "nobody" },
  ImportUsers: { users: [{ email: "imported@example.com" }] },
  SignIn: { email: "ann@example.com", password: "wrong" },
  CheckSession: { token: "token" },
  SignOut: { token: "token" },
  ListSessions: { userId: "ann" },
  RevokeSessions: { userId: "ann" },
  ListAuditEvents: {},
  GetSocialAuthUrl: { provider: "facebook", redirectUri: "https://app.example/back" },
  SocialAuth: { provider: "facebook", code: "code", state: "state" },
  LinkSocialAccount: { token: "token", provider: "facebook", code: "code", state: "state" },
  UnlinkSocialAccount: { userId: "ann", provider: "facebook" },
};

/** The request with `text` in one of its fields, for each field that can hold text. */
function withText(message: DescMessage, request: JsonObject, text: string): JsonObject[] {
  return message.fields.flatMap((field) =>
    valuesWithText(field, request[field.jsonName], text).map((value) => ({
      ...withoutSiblings(field, request),
      [field.jsonName]: value,
    })),
  );
}

/** Of a oneof there can be but one. */
function withoutSiblings({ oneof }: DescField, request: JsonObject): JsonObject {
  const siblings = new Set(oneof?.fields.map(({ jsonName }) => jsonName));
  return Object.fromEntries(Object.entries(request).filter(([name]) => !siblings.has(name)));
}

function valuesWithText(field: DescField, given: unknown, text: string): JsonObject[string][] {
  switch (field.fieldKind) {
    case "scalar":
      return field.scalar === ScalarType.STRING ? [text] : [];
    case "map":
      return [{ [text]: "x" }, { x: text }];
    case "message": {
      // Their JSON is a text of a form of its own.
      if (field.message.typeName.startsWith("google.protobuf.")) return [text];
      return withText(field.message, (given ?? {}) as JsonObject, text);
    }
    case "list": {
      if (field.listKind === "scalar") return [[text]];
      if (field.listKind !== "message") return [];
      const [first = {}] = (given ?? []) as JsonObject[];
      return withText(field.message, first, text).map((value) => [value]);
    }
    default:
      return [];
  }
}

const env = { USHER_AUTH_PASSWORD_MEMORY: "1MiB" };

describe("Whatever text comes, the answer is clear:", () => {
  for (const method of AuthService.methods.filter(({ methodKind }) => methodKind === "unary")) {
    test(method.name, async (t) => {
      const usher = await startService(t, env);
      await signUp(clientOf(usher, AuthService), "ann@example.com", { userId: "ann" });
      const request = requests[method.name];
      assert.ok(request, "there is a request to begin with");
      for (const [words, text] of Object.entries(texts)) {
        for (const hostile of withText(method.input, request, text)) {
          const answer: JsonAnswer = await callJson(
            usher,
            `${AuthService.typeName}/${method.name}`,
            hostile,
          );
          const shown: string = `${words}: ${JSON.stringify(hostile).slice(0, 200)}`;
          if (answer.status === 200) continue;
          const { code, message, details } = answer.body;
          assert.notEqual(code, "internal", shown);
          assert.ok(details?.[0]?.debug?.reason in codes, `${shown}: ${code} ${message}`);
          assert.ok(message.length <= 1_000, shown);
        }
      }
    });
  }
});

test("every way of writing an email is one account, and no other email is", async (t) => {
  const usher = await startService(t, env);
  const client = clientOf(usher, AuthService);
  const same = [
    "jos\u00e9@m\u00fcnchen.example",
    "JOS\u00c9@M\u00dcNCHEN.example",
    "jose\u0301@mu\u0308nchen.EXAMPLE",
    " jos\u00e9@xn--mnchen-3ya.example ",
    "Jos\u00e9@m\u00fcnchen\u3002example",
  ];
  const different = [
    "jose@m\u00fcnchen.example",
    "jos\u00e9@munchen.example",
    "j\u043es\u00e9@m\u00fcnchen.example",
    "jo\u017f\u00e9@m\u00fcnchen.example",
    "jos\u00e9@m\u00fcnchen.examp1e",
    "j.os\u00e9@m\u00fcnchen.example",
  ];
  const registrations = await Promise.all(
    [...same, ...different].map((email) => client.register({ email })),
  );
  const ids = registrations.map(({ user }) => user?.id);
  assert.equal(new Set(ids.slice(0, same.length)).size, 1);
  assert.equal(new Set(ids).size, 1 + different.length);
  const { users } = await client.listUsers({});
  const keys = users.map(({ email }) => parseEmail(email)?.key);
  assert.equal(new Set(keys).size, users.length);
});
