import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../../src/logging/log.ts";
import { createLogger, type LogLevel } from "../../src/logging/logger.ts";

function linesOf(write: (log: Log) => void, level: LogLevel = "info", readable = false): string {
  let text = "";
  const output = {
    write(line: string) {
      text += line;
    },
  };
  write(createLogger(level, output, readable));
  return text;
}

test("a line is one JSON object with the level's name, the ISO time, the fields and the message", () => {
  const text = linesOf((log) => log.info({ tube: "mail", count: 2 }, "two\nlines"));
  assert.match(text, /^[^\n]+\n$/);
  const { time, ...rest } = JSON.parse(text);
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(rest, { level: "info", tube: "mail", count: 2, msg: "two\nlines" });
});

test("what is below the level is not written", () => {
  const write = (log: Log) => {
    log.debug({}, "a");
    log.info({}, "b");
    log.warn({}, "c");
    log.error({}, "d");
  };
  const messages = (level: LogLevel) =>
    linesOf(write, level)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).msg)
      .join("");
  assert.equal(messages("debug"), "abcd");
  assert.equal(messages("info"), "bcd");
  assert.equal(messages("error"), "d");
});

test("an error keeps its stack and its causes", () => {
  const error = new Error("outer", { cause: new Error("inner") });
  const { err } = JSON.parse(linesOf((log) => log.error({ err: error }, "x")));
  assert.match(err.stack, /Error: outer\n[\s\S]*logger\.test\.ts[\s\S]*inner/);
});

const secretFields = [
  "password",
  "newPassword",
  "password_hash",
  "token",
  "accessToken",
  "refresh_token",
  "sessionToken",
  "client_secret",
  "clientSecret",
  "activationCode",
  "codeVerifier",
  "lease",
  "Authorization",
  "cookie",
];
for (const name of secretFields) {
  test(`a field named ${name} is blotted out, nested or not, in both forms`, () => {
    const write = (log: Log) =>
      log.info({ [name]: "hunter2", a: { [name]: "hunter2", b: { [name]: ["hunter2"] } } }, "x");
    for (const readable of [false, true]) {
      const text = linesOf(write, "info", readable);
      assert.doesNotMatch(text, /hunter2/);
      assert.equal(text.match(/\[secret\]/g)?.length, 3);
    }
  });
}

test("fields that are no secrets are left as they are", () => {
  const fields = { code: "ECONNREFUSED", tokens: 3, leases: 2, tube: { name: "token" } };
  const { time, level, msg, ...rest } = JSON.parse(linesOf((log) => log.info(fields, "x")));
  assert.deepEqual(rest, fields);
});

test("a cycle ends", () => {
  const loop: Record<string, unknown> = {};
  loop["loop"] = loop;
  assert.match(
    linesOf((log) => log.info(loop, "x")),
    /"msg":"x"/,
  );
});

test("on a terminal a line is for eyes: time, level, message, fields, and the stack below", () => {
  const error = new Error("broken");
  const fields = { tube: "mail", text: "two words\u001b[31m", count: 2, err: error };
  const text = linesOf((log) => log.warn(fields, "look"), "info", true);
  const [first = "", second] = text.split("\n");
  assert.match(
    first,
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}look tube=mail text="two words\\u001b\[31m" count=2$/,
  );
  assert.equal(second, "Error: broken");
});
