import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { CheckSessionResponseSchema } from "../../../gen/usher/auth/v1/sessions_pb.ts";
import { SessionAnswer } from "../../../src/auth/handlers/session-answer.ts";
import { authEncoders } from "../../../src/auth/handlers/session-codec.ts";

const anyText = fc.oneof(
  fc.constant(""),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary-ascii", maxLength: 200 }),
  fc.string({ unit: "binary", maxLength: 60 }),
);
const anyTime = fc.integer({ min: 0, max: 8.64e15 });
const anyUser = fc.record({
  id: anyText,
  email: anyText,
  state: fc.constantFrom("pending", "active", "deactivated"),
  profile: fc.record({
    firstName: anyText,
    lastName: anyText,
    picture: anyText,
    locale: anyText,
    attributes: fc.dictionary(anyText, anyText, { maxKeys: 3 }),
  }),
  socialAccounts: fc.array(
    fc.record({
      provider: anyText,
      socialId: anyText,
      email: anyText,
      emailVerified: fc.boolean(),
      linkTime: anyTime,
    }),
    { maxLength: 3 },
  ),
  hasPassword: fc.boolean(),
  createTime: anyTime,
  updateTime: anyTime,
});
const anySession = fc.record({
  id: anyText,
  provider: anyText,
  device: anyText,
  address: anyText,
  createTime: anyTime,
  lastSeenTime: anyTime,
  expireTime: anyTime,
});
const anyLive = fc.record({ user: anyUser, session: anySession, token: anyText });

test("the answer to a check has the bytes that protobuf-es gives it", () => {
  fc.assert(
    fc.property(anyLive, anyText, (live, accessToken) => {
      const answer = new SessionAnswer(live, accessToken);
      const message = create(CheckSessionResponseSchema, answer);
      const expected = toBinary(CheckSessionResponseSchema, message);
      assert.deepEqual(new Uint8Array(authEncoders.checkSession(answer) ?? []), expected);
    }),
    { numRuns: 500 },
  );
});

test("another answer is left to protobuf-es", () => {
  assert.equal(authEncoders.checkSession({ user: {}, session: {}, accessToken: "" }), undefined);
});
