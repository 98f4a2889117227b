import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isSessionToken,
  newSessionToken,
  newSuccessorSalt,
  successorOf,
} from "../../../src/auth/sessions/opaque-tokens.ts";

test("session tokens have one form and are all different", () => {
  const tokens = Array.from({ length: 100 }, newSessionToken);
  for (const token of tokens) {
    assert.match(token, /^uss_[A-Za-z0-9_-]{48}$/);
    assert.ok(isSessionToken(token));
  }
  assert.equal(new Set(tokens).size, tokens.length);
});

test("every single mistyped character is noticed", () => {
  const token = newSessionToken();
  for (let at = 0; at < token.length; at++) {
    for (const character of "Aa0-") {
      const mistyped = token.slice(0, at) + character + token.slice(at + 1);
      assert.equal(isSessionToken(mistyped), mistyped === token);
    }
  }
});

test("a token's successor is a token, the same for the same salt and no other", () => {
  const [token, other] = [newSessionToken(), newSessionToken()];
  const [salt, otherSalt] = [newSuccessorSalt(), newSuccessorSalt()];
  const successor = successorOf(token, salt);
  assert.ok(isSessionToken(successor));
  assert.equal(successorOf(token, salt), successor);
  assert.notEqual(successorOf(token, otherSalt), successor);
  assert.notEqual(successorOf(other, salt), successor);
});
