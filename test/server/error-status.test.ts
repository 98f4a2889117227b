import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Reason, reasons, UsherError } from "../../src/base/errors.ts";
import { codes, toConnectError } from "../../src/server/error-status.ts";
import { seen } from "./harness.ts";

const names = Object.keys(reasons) as Reason[];

describe("toConnectError", () => {
  test("gives every reason its status, its sentence and an ErrorInfo", () => {
    for (const reason of names) {
      const shown = seen(toConnectError(new UsherError(reason)));
      assert.equal(shown.code, Code[codes[reason]], reason);
      assert.equal(shown.message, reasons[reason]);
      assert.equal(shown.reason, reason);
      assert.equal(shown.domain, "usher");
      const again = shown.code === "Unavailable" || reason === "TOO_MANY_ATTEMPTS";
      if (again) assert.ok((shown.retryMs ?? 0) > 0, reason);
    }
  });

  test("names fields for INVALID_ARGUMENT alone, ten at most", () => {
    const violations = Array.from({ length: 12 }, (_, i) => ({
      field: `f${i}`,
      description: "is bad",
    }));
    const invalid = seen(toConnectError(new UsherError("INVALID_PARAMS", { violations })));
    assert.deepEqual(invalid.violations, violations.slice(0, 10));
    const full = seen(toConnectError(new UsherError("TUBE_FULL", { violations })));
    assert.deepEqual(full.violations, []);
  });

  test("tells when to try again, to the millisecond", () => {
    const error = toConnectError(new UsherError("SHUTTING_DOWN", { retryAfterMs: 1234 }));
    assert.equal(seen(error).retryMs, 1234);
  });

  test("knows what was cancelled and what came too late", () => {
    const late = new DOMException("too late", "TimeoutError");
    assert.equal(toConnectError(new DOMException("gone", "AbortError")).code, Code.Canceled);
    assert.equal(toConnectError(late).code, Code.DeadlineExceeded);
    for (const code of [Code.Canceled, Code.DeadlineExceeded, Code.Unimplemented]) {
      const error = new ConnectError("as it is", code);
      assert.equal(toConnectError(error), error);
    }
  });

  test("shows nothing of anything else", () => {
    const others: unknown[] = [
      new Error("secret"),
      new ConnectError("secret", Code.NotFound),
      "secret",
      undefined,
      null,
      { reason: "TUBE_NOT_FOUND" },
    ];
    for (const other of others) {
      const { metadata, ...shown } = seen(toConnectError(other));
      assert.deepEqual(shown, {
        code: "Internal",
        message: "internal error",
        reason: undefined,
        domain: undefined,
        violations: [],
        retryMs: undefined,
        details: 0,
      });
      assert.equal(toConnectError(other).cause, other);
    }
  });
});
