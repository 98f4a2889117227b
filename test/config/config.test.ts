import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { settingsPage } from "../../scripts/settings-page.ts";
import { type Config, parseConfig, settings } from "../../src/config/config.ts";
import { listSettings, variableName } from "../../src/config/setting-tree.ts";

type Given = { file?: string; env?: Record<string, string>; files?: Record<string, string> };

function parse({ file, env = {}, files = {} }: Given) {
  return parseConfig({
    ...(file === undefined ? {} : { file }),
    env,
    readSecretFile(name) {
      const content = files[name];
      if (content === undefined) throw Object.assign(new Error("no such"), { code: "ENOENT" });
      return content;
    },
  });
}

function configOf(given: Given): Config {
  const parsed = parse(given);
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return parsed.config;
}

function faultsOf(given: Given): readonly string[] {
  const parsed = parse(given);
  assert.ok("faults" in parsed, "expected faults");
  for (const fault of parsed.faults) assert.doesNotMatch(fault, /\n/);
  return parsed.faults;
}

const KIBIBYTE = 1024;
const SECOND = 1_000;
const DAY = 86_400 * SECOND;

const everyProvider = {
  redirectUris: [],
  trustEmail: false,
  allowUnsolicitedCodes: false,
  requestTimeout: 3 * SECOND,
};

test("without any setting every default holds", () => {
  assert.deepEqual(configOf({}), {
    storage: { kind: "sqlite", folder: "usher-data" },
    grpcListen: { host: "127.0.0.1", port: 50051 },
    httpListen: { host: "127.0.0.1", port: 8080 },
    httpAllowedHosts: [],
    httpAllowedOrigins: [],
    allowInsecureNetwork: false,
    logLevel: "info",
    shutdownGrace: 10 * SECOND,
    queue: {
      maxTaskSize: KIBIBYTE ** 2,
      maxRequestSize: 16 * KIBIBYTE ** 2,
      cacheSize: 256 * KIBIBYTE ** 2,
    },
    cluster: { life: 5 * SECOND },
    auth: {
      sessionLife: 7 * DAY,
      maxSessionsPerUser: 100,
      maxMailsPerAddress: 5,
      sessionRenewBefore: 2 * DAY,
      socialCheckTime: 2 * DAY,
      issuer: "usher",
      audience: "usher",
      stateLife: 600 * SECOND,
      passwordStrength: "common",
      passwordMemory: 19 * 1024 ** 2,
      returnCodes: true,
      auditLife: 365 * DAY,
      facebook: {
        ...everyProvider,
        scope: ["email", "public_profile"],
        graphUrl: "https://graph.facebook.com/v26.0",
        authUrl: "https://www.facebook.com/v26.0/dialog/oauth",
      },
      google: {
        ...everyProvider,
        scope: ["openid", "email", "profile"],
        offline: true,
        authUrl: "https://accounts.google.com/o/oauth2/v2/auth",
        tokenUrl: "https://oauth2.googleapis.com/token",
        userinfoUrl: "https://openidconnect.googleapis.com/v1/userinfo",
      },
      vk: {
        ...everyProvider,
        flow: "vk_id",
        scope: ["email"],
        idUrl: "https://id.vk.ru",
        oauthUrl: "https://oauth.vk.ru",
        apiUrl: "https://api.vk.ru/method",
      },
      oidc: {},
    },
  });
});

describe("sources", () => {
  test("the file wins over the defaults and a variable over the file", () => {
    const config = configOf({
      file: "log_level: warn\nauth:\n  session_life: 8d\n  state_life: 5m\n",
      env: { USHER_AUTH_SESSION_LIFE: "9d" },
    });
    assert.equal(config.logLevel, "warn");
    assert.equal(config.auth.sessionLife, 9 * DAY);
    assert.equal(config.auth.stateLife, 300 * SECOND);
    assert.equal(config.auth.sessionRenewBefore, 2 * DAY);
  });

  test("codes that no caller is told need a tube for mail", () => {
    const env = { USHER_AUTH_RETURN_CODES: "false" };
    const fault = "USHER_AUTH_RETURN_CODES: must be true unless auth.mail_tube is set";
    assert.deepEqual(faultsOf({ env }), [fault]);
    const { auth } = configOf({ env: { ...env, USHER_AUTH_MAIL_TUBE: "mail" } });
    assert.equal(auth.mailTube, "mail");
    const wrong = { USHER_AUTH_MAIL_TUBE: "my mail" };
    assert.match(
      faultsOf({ env: wrong })[0] ?? "",
      /^USHER_AUTH_MAIL_TUBE: found "my mail"; allowed/,
    );
  });

  test("no two settings share a variable", () => {
    const names = listSettings(settings).map((setting) => variableName(setting.path));
    assert.deepEqual(names, [...new Set(names)]);
    assert.ok(names.includes("USHER_AUTH_FACEBOOK_CLIENT_ID"));
  });

  test("what is empty counts as not set, in both", () => {
    const file =
      "log_level:\nshutdown_grace: ~\nstorage: null\nqueue:\nauth: {facebook: {client_id: ''}}";
    const config = configOf({ file, env: { USHER_GRPC_LISTEN: "", USHER_NO_SUCH: "" } });
    assert.deepEqual(config, configOf({}));
  });

  test("an empty file and a file of comments set nothing", () => {
    assert.deepEqual(configOf({ file: "" }), configOf({}));
    assert.deepEqual(configOf({ file: "# nothing\n" }), configOf({}));
  });

  test("values in a file are read as text: long numbers keep their digits", () => {
    const file = "auth: {facebook: {client_id: 001234567890123456789, client_secret: 1e5}}";
    const { facebook } = configOf({ file }).auth;
    assert.equal(facebook.clientId, "001234567890123456789");
    assert.equal(facebook.clientSecret, "1e5");
  });

  test("a file may use anchors", () => {
    const file = "auth:\n  session_life: &life 3d\n  state_life: 1h\n  session_renew_before: 1d\n";
    assert.equal(configOf({ file }).auth.sessionLife, 3 * DAY);
    const aliased = "shutdown_grace: &time 1m\nauth: {state_life: *time}\n";
    assert.equal(configOf({ file: aliased }).auth.stateLife, 60 * SECOND);
  });

  test("variables of others, USHER_CONFIG and those of Kubernetes are left alone", () => {
    const env = {
      PATH: "/bin",
      USHERETTE: "x",
      USHER_CONFIG: "usher.yaml",
      USHER_SERVICE_HOST: "10.0.0.1",
      USHER_SERVICE_PORT: "50051",
      USHER_SERVICE_PORT_GRPC: "50051",
      USHER_PORT: "tcp://10.0.0.1:50051",
      USHER_PORT_50051_TCP: "tcp://10.0.0.1:50051",
      USHER_PORT_50051_TCP_ADDR: "10.0.0.1",
      USHER_QUEUE_SERVICE_HOST: "10.0.0.2",
    };
    assert.deepEqual(configOf({ env }), configOf({}));
  });
});

describe("forms", () => {
  const grace = (text: string) => configOf({ env: { USHER_SHUTDOWN_GRACE: text } }).shutdownGrace;
  const cache = (text: string) =>
    configOf({ env: { USHER_QUEUE_CACHE_SIZE: text } }).queue.cacheSize;
  const listen = (text: string) =>
    configOf({ env: { USHER_GRPC_LISTEN: text, USHER_ALLOW_INSECURE_NETWORK: "true" } }).grpcListen;
  const uris = (given: Given) => configOf(given).auth.facebook.redirectUris;

  test("durations have units", () => {
    assert.equal(grace("500ms"), 500);
    assert.equal(grace("3s"), 3 * SECOND);
    assert.equal(grace("15m"), 900 * SECOND);
    assert.equal(grace("1h"), 3600 * SECOND);
    assert.equal(configOf({ env: { USHER_AUTH_SESSION_LIFE: "30d" } }).auth.sessionLife, 30 * DAY);
  });

  test("sizes are bytes or have units", () => {
    assert.equal(cache("0"), 0);
    assert.equal(cache("1000"), 1000);
    assert.equal(cache("1KiB"), KIBIBYTE);
    assert.equal(cache("3MiB"), 3 * KIBIBYTE ** 2);
    assert.equal(cache("2GiB"), 2 * KIBIBYTE ** 3);
  });

  test("listen addresses are a host and a port", () => {
    assert.deepEqual(listen("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
    assert.deepEqual(listen("[::1]:65535"), { host: "::1", port: 65535 });
    assert.deepEqual(listen("usher-1.example.com:1"), { host: "usher-1.example.com", port: 1 });
  });

  test("lists are YAML lists, or text with commas", () => {
    const both = ["https://a.example/x?y=1,2", "http://127.0.0.1:9/"];
    const file = `auth: {facebook: {redirect_uris: ["${both[0]}", "${both[1]}"]}}`;
    assert.deepEqual(uris({ file }), both);
    const USHER_AUTH_FACEBOOK_REDIRECT_URIS = " https://a.example/x , http://127.0.0.1:9/,";
    const expected = ["https://a.example/x", "http://127.0.0.1:9/"];
    assert.deepEqual(uris({ env: { USHER_AUTH_FACEBOOK_REDIRECT_URIS } }), expected);
    assert.deepEqual(configOf({ file: "auth: {facebook: {scope: []}}" }).auth.facebook.scope, []);
  });

  test("allowed hosts are names and addresses without ports", () => {
    const hosts = (text: string) => configOf({ env: { USHER_HTTP_ALLOWED_HOSTS: text } });
    const given = hosts("Usher.internal,10.0.0.7, [fd00::7],fd00::8").httpAllowedHosts;
    assert.deepEqual(given, ["usher.internal", "10.0.0.7", "fd00::7", "fd00::8"]);
    for (const wrong of ["http://usher", "usher:8080", "usher/", "a b", "*", "1.2.3"]) {
      const [fault] = faultsOf({ file: `http_allowed_hosts: ["${wrong}"]` });
      assert.match(fault ?? "", /^http_allowed_hosts \(line 1\), item 1: found .*without scheme/);
    }
  });

  test("allowed origins are spelled as browsers do", () => {
    const origins = (text: string) =>
      configOf({ env: { USHER_HTTP_ALLOWED_ORIGINS: text } }).httpAllowedOrigins;
    assert.deepEqual(origins("*"), ["*"]);
    assert.deepEqual(
      origins(
        "https://App.example.com:443,http://localhost:3000,http://[::1]:80,tauri://Localhost",
      ),
      ["https://app.example.com", "http://localhost:3000", "http://[::1]", "tauri://localhost"],
    );
    const wrongs = [
      ...["app.example.com", "https://", "https://a.example/", "https://a.example/x", "null"],
      ...["https://a:b@c.example", "https://*.example.com", "https://a.example:99999", "a.b:80"],
    ];
    for (const wrong of wrongs) {
      const [fault] = faultsOf({ file: `http_allowed_origins: ["${wrong}"]` });
      assert.match(
        fault ?? "",
        /^http_allowed_origins \(line 1\), item 1: found .*; allowed: scheme:\/\/host or /,
        wrong,
      );
    }
  });

  test("base URLs lose the slash at their end", () => {
    const env = { USHER_AUTH_FACEBOOK_GRAPH_URL: "http://127.0.0.1:9999/v1/" };
    assert.equal(configOf({ env }).auth.facebook.graphUrl, "http://127.0.0.1:9999/v1");
  });
});

describe("secrets", () => {
  const secretOf = (given: Given) => configOf(given).auth.facebook.clientSecret;
  const variable = "USHER_AUTH_FACEBOOK_CLIENT_SECRET";

  test("come from a variable, the settings file, or a file that either names", () => {
    assert.equal(secretOf({ env: { [variable]: "s" } }), "s");
    assert.equal(secretOf({ file: "auth: {facebook: {client_secret: s}}" }), "s");
    const files = { "/run/secret": "\n s e \n" };
    assert.equal(secretOf({ env: { [`${variable}_FILE`]: "/run/secret" }, files }), "s e");
    const file = "auth: {facebook: {client_secret_file: /run/secret}}";
    assert.equal(secretOf({ file, files }), "s e");
  });

  test("a variable wins over the settings file in either form, and the loser is not read", () => {
    const file = "auth: {facebook: {client_secret_file: /not/there}}";
    assert.equal(secretOf({ file, env: { [variable]: "s" } }), "s");
    const plain = "auth: {facebook: {client_secret: x}}";
    const files = { f: "s" };
    assert.equal(secretOf({ file: plain, env: { [`${variable}_FILE`]: "f" }, files }), "s");
  });

  test("what is not a secret cannot be read from a file", () => {
    assert.deepEqual(faultsOf({ env: { USHER_LOG_LEVEL_FILE: "f" } }), [
      "USHER_LOG_LEVEL_FILE: no such setting; did you mean USHER_LOG_LEVEL?",
    ]);
  });

  test("a fault never shows one, wherever it was put", () => {
    const hidden = "hunter2";
    const attempts: Given[] = [
      { env: { [`${variable}_FILE`]: hidden } },
      { env: { [`${variable}_FILE`]: "f", [variable]: hidden }, files: { f: hidden } },
      { env: { USHER_STORAGE: `mongodb://user:${hidden}@host/` } },
      { env: { USHER_STORAGE: `mongodb://user:${hidden}@x@host/` } },
      { env: { USHER_AUTH_FACEBOOK_GRAPH_URL: `https://user:${hidden}@host/` } },
      { env: { USHER_AUTH_FACEBOOK_SECRET: hidden } },
      { file: `auth: {facebook: {client_secret: [${hidden}]}}` },
      { file: `auth: {facebook: {client_secret: {${hidden}: 1}}}` },
      { file: `auth: {facebook: {client_secret_file: [${hidden}]}}` },
      { file: `auth: {facebook: {client_secret: *${hidden}}}` },
      { file: `auth: {facebook: {client_secret: "\\${hidden}"}}` },
      { file: `auth: {facebook: {client_secret: @${hidden}}}` },
      { file: `auth: {facebook: {client_secret: %${hidden}}}` },
      { file: `auth: {facebook: {client_secret: a: ${hidden}}}` },
      { file: `auth: {facebook: {client_secret: "x" ${hidden}}}` },
      { file: `auth:\n  facebook:\n    client_secret: |${hidden}\n` },
      { file: `auth: ${hidden}` },
      { file: hidden },
    ];
    for (const attempt of attempts) {
      assert.doesNotMatch(faultsOf(attempt).join(), /unter2/, JSON.stringify(attempt));
    }
  });
});

describe("faults", () => {
  const durations = "a duration such as 500ms, 3s, 15m, 12h or 7d";
  const sizes = "bytes, or a number with KiB, MiB or GiB";
  const address =
    "host:port, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080; port 0 is any free one";

  const storages = "sqlite:<folder>, or a mongodb:// or mongodb+srv:// URL";

  const wrongValues: [variable: string, value: string, allowed: string][] = [
    ["USHER_LOG_LEVEL", "INFO", "one of debug, info, warn, error"],
    ["USHER_ALLOW_INSECURE_NETWORK", "yes", "true or false"],
    ["USHER_STORAGE", "sqlite:", storages],
    ["USHER_STORAGE", "/var/lib/usher", storages],
    ["USHER_GRPC_LISTEN", "50051", address],
    ["USHER_GRPC_LISTEN", ":50051", address],
    ["USHER_GRPC_LISTEN", "127.0.0.1", address],
    ["USHER_GRPC_LISTEN", "127.0.0.1:65536", address],
    ["USHER_GRPC_LISTEN", "127.0.0.1:-1", address],
    ["USHER_GRPC_LISTEN", "127.0.0.256:1", address],
    ["USHER_GRPC_LISTEN", "::1:1", address],
    ["USHER_GRPC_LISTEN", "[127.0.0.1]:1", address],
    ["USHER_GRPC_LISTEN", "http://127.0.0.1:1", address],
    ["USHER_SHUTDOWN_GRACE", "10", `${durations}, from 1ms to 1h`],
    ["USHER_SHUTDOWN_GRACE", "0s", `${durations}, from 1ms to 1h`],
    ["USHER_SHUTDOWN_GRACE", "61m", `${durations}, from 1ms to 1h`],
    ["USHER_AUTH_SESSION_LIFE", "-1d", `${durations}, from 1ms to 3650d`],
    ["USHER_AUTH_SESSION_LIFE", "1.5h", `${durations}, from 1ms to 3650d`],
    ["USHER_AUTH_SESSION_LIFE", "7 d", `${durations}, from 1ms to 3650d`],
    ["USHER_AUTH_SESSION_LIFE", "999999999999999d", `${durations}, from 1ms to 3650d`],
    ["USHER_QUEUE_MAX_TASK_SIZE", "1MB", `${sizes}, from 1KiB to 64MiB`],
    ["USHER_QUEUE_MAX_TASK_SIZE", "1 MiB", `${sizes}, from 1KiB to 64MiB`],
    ["USHER_QUEUE_MAX_TASK_SIZE", "-1", `${sizes}, from 1KiB to 64MiB`],
    ["USHER_QUEUE_MAX_TASK_SIZE", "1023", `${sizes}, from 1KiB to 64MiB`],
    ["USHER_QUEUE_MAX_REQUEST_SIZE", "1e6", `${sizes}, from 64KiB to 256MiB`],
  ];
  for (const [variable, value, allowed] of wrongValues) {
    test(`${variable}=${value} is refused with what was found and what is allowed`, () => {
      const line = `${variable}: found "${value}"; allowed: ${allowed}`;
      assert.deepEqual(faultsOf({ env: { [variable]: value } }), [line]);
    });
  }

  const baseUrls = "an http:// or https:// URL without user, query and fragment";
  for (const value of ["graph.facebook.com", "ftp://a/", "https://a/?b", "https://a/#b", "x y"]) {
    test(`the base URL ${value} is refused`, () => {
      const line = `USHER_AUTH_FACEBOOK_GRAPH_URL: found "${value}"; allowed: ${baseUrls}`;
      assert.deepEqual(faultsOf({ env: { USHER_AUTH_FACEBOOK_GRAPH_URL: value } }), [line]);
    });
  }

  test("a value in the settings file is named by its path and line", () => {
    const file = "\nlog_level: loud\nauth:\n  facebook:\n    trust_email: 1\n";
    assert.deepEqual(faultsOf({ file }), [
      'log_level (line 2): found "loud"; allowed: one of debug, info, warn, error',
      'auth.facebook.trust_email (line 5): found "1"; allowed: true or false',
    ]);
  });

  test("an item of a list is named by its place", () => {
    const file = "auth:\n  facebook:\n    redirect_uris:\n      - https://a/b\n      - /c\n";
    assert.deepEqual(faultsOf({ file }), [
      'auth.facebook.redirect_uris (line 3), item 2: found "/c"; allowed: an http:// or https:// URL without user and fragment',
    ]);
    assert.deepEqual(faultsOf({ env: { USHER_AUTH_FACEBOOK_SCOPE: "email,a b" } }), [
      'USHER_AUTH_FACEBOOK_SCOPE, item 2: found "a b"; allowed: a word',
    ]);
  });

  test("a list or a mapping in the place of a value, and the other way round", () => {
    const file = "log_level: [info]\nstorage: {a: b}\nqueue: 1\nauth: [x]\n";
    assert.deepEqual(faultsOf({ file }), [
      "queue: found a value; allowed: a mapping",
      "auth: found a list; allowed: a mapping",
      `storage (line 2): found a mapping; allowed: ${storages}`,
      "log_level (line 1): found a list; allowed: one of debug, info, warn, error",
    ]);
    assert.deepEqual(faultsOf({ file: "- log_level: info\n" }), [
      "the settings file: found a list; allowed: a mapping",
    ]);
    assert.deepEqual(
      faultsOf({ file: "auth: {facebook: {scope: {a: b}, redirect_uris: [[x]]}}" }),
      [
        "auth.facebook.redirect_uris (line 1), item 1: found a list; allowed: an http:// or https:// URL without user and fragment",
        "auth.facebook.scope (line 1): found a mapping; allowed: a list of words",
      ],
    );
  });

  test("a long value is cut and a line break in it is escaped", () => {
    const [line] = faultsOf({ env: { USHER_STORAGE: `a\nb${"c".repeat(1000)}` } });
    const found = `"a\\nb${"c".repeat(57)}..."`;
    assert.equal(line, `USHER_STORAGE: found ${found}; allowed: ${storages}`);
  });

  test("an unknown setting gets the nearest name, if one is near", () => {
    const file = "log_levle: info\nqueues:\n  a: 1\nqueue:\n  max_tasksize: 1\ncolour: red\n";
    assert.deepEqual(faultsOf({ file, env: { USHER_GRPC_LISTN: "x", USHER_COLOUR: "red" } }), [
      "log_levle (line 1): no such setting; did you mean log_level?",
      "queues (line 2): no such setting; did you mean queue?",
      "queue.max_tasksize (line 5): no such setting; did you mean queue.max_task_size?",
      "colour (line 6): no such setting",
      "USHER_GRPC_LISTN: no such setting; did you mean USHER_GRPC_LISTEN?",
      "USHER_COLOUR: no such setting",
    ]);
    assert.deepEqual(faultsOf({ file: "listen: a\nqueue: {cache: 1}" }), [
      "listen (line 1): no such setting; did you mean grpc_listen?",
      "queue.cache (line 2): no such setting; did you mean queue.cache_size?",
    ]);
  });

  const brokenFiles: [text: string, fault: string][] = [
    ["a: 1\na: 2", "line 2: this name is there twice"],
    ["log_level: 'info", "line 1: a quote, bracket, comma, colon or space is missing"],
    ["auth:\n\tsession_life: 1d", "line 2: a tab where spaces belong"],
    ["a: 1\n---\nb: 2", "line 2: a second document begins; there may be one"],
    ["a: b: c", "line 1: a second colon on one line; put the value in quotes"],
    ["a: @b", "line 1: not valid YAML (BAD_SCALAR_START)"],
  ];
  for (const [text, fault] of brokenFiles) {
    test(`a file that is no YAML is named by its line: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(faultsOf({ file: text }), [fault]);
    });
  }

  test("a secret given twice in one source, in an empty file, in no file", () => {
    const variable = "USHER_AUTH_FACEBOOK_CLIENT_SECRET";
    assert.deepEqual(
      faultsOf({ env: { [variable]: "a", [`${variable}_FILE`]: "f" }, files: { f: "b" } }),
      [`${variable}_FILE: ${variable} is set too; keep one of them`],
    );
    assert.deepEqual(faultsOf({ env: { [`${variable}_FILE`]: "f" }, files: { f: " \n" } }), [
      `${variable}_FILE: the file is empty`,
    ]);
    assert.deepEqual(faultsOf({ file: "auth: {facebook: {client_secret_file: f}}" }), [
      "auth.facebook.client_secret_file (line 1): cannot read the file it names (ENOENT)",
    ]);
  });

  test("every fault is told at once, whichever source it is in", () => {
    const file = "log_level: loud\nnope: 1\n";
    const env = { USHER_STORAGE: "x", USHER_SHUTDOWN_GRACE: "y", USHER_NOPE: "z" };
    assert.equal(faultsOf({ file, env }).length, 5);
  });

  test("a renewal time that is not shorter than the life is refused", () => {
    const line = "must be shorter than auth.session_life";
    assert.deepEqual(faultsOf({ file: "auth: {session_life: 2d}" }), [
      `auth.session_renew_before (USHER_AUTH_SESSION_RENEW_BEFORE): ${line}`,
    ]);
    assert.deepEqual(faultsOf({ env: { USHER_AUTH_SESSION_RENEW_BEFORE: "7d" } }), [
      `USHER_AUTH_SESSION_RENEW_BEFORE: ${line}`,
    ]);
  });

  test("a task larger than a request is refused", () => {
    assert.deepEqual(faultsOf({ env: { USHER_QUEUE_MAX_TASK_SIZE: "17MiB" } }), [
      "USHER_QUEUE_MAX_TASK_SIZE: must not be above queue.max_request_size",
    ]);
  });
});

describe("listening beyond this machine", () => {
  for (const host of ["0.0.0.0", "192.168.1.1", "[::]", "[::ffff:10.0.0.1]", "usher.example.com"]) {
    test(`${host} is refused in words, and allowed when told so`, () => {
      const env = { USHER_GRPC_LISTEN: `${host}:1` };
      const [line, ...others] = faultsOf({ env });
      assert.match(
        line ?? "",
        /^USHER_GRPC_LISTEN: other machines could reach .* nothing there is encrypted/,
      );
      assert.match(line ?? "", /listen on 127\.0\.0\.1, or set allow_insecure_network to true$/);
      assert.deepEqual(others, []);
      const told = { ...env, USHER_ALLOW_INSECURE_NETWORK: "true" };
      assert.equal(configOf({ env: told }).grpcListen.port, 1);
    });
  }

  for (const host of ["127.0.0.1", "127.8.8.8", "[::1]", "localhost"]) {
    test(`${host} needs no permission`, () => {
      const env = { USHER_GRPC_LISTEN: `${host}:1`, USHER_HTTP_LISTEN: `${host}:2` };
      assert.equal(configOf({ env }).httpListen.port, 2);
    });
  }

  test("both listeners are looked at", () => {
    const faults = faultsOf({ file: "grpc_listen: 0.0.0.0:1\nhttp_listen: 0.0.0.0:2" });
    const names = faults.map((line) => line.split(":")[0]);
    assert.deepEqual(names, ["grpc_listen (line 1)", "http_listen (line 2)"]);
  });
});

test("docs/settings.md is what the schema says", () => {
  const page = readFileSync(new URL("../../docs/settings.md", import.meta.url), "utf8");
  assert.equal(page, settingsPage(settings), "run npm run generate");
});
