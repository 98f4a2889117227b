import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join, relative } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { temporaryFolder } from "./support/process.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const MAIN = join(ROOT, "src", "main.ts");

type Env = Readonly<Record<string, string>>;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process with what it has written so far. */
function start(t: TestContext, command: string, args: readonly string[], env: Env = {}) {
  const { PATH, HOME } = process.env;
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH, HOME, ...env },
  });
  t.after(() => child.kill("SIGKILL"));
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
    });
  }
  const ended: Promise<Ended> = once(child, "close").then(([code]) => ({ code, ...written }));
  /** Resolves when it has written what matches; rejects if it ends before. */
  const wrote = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const text = written.stdout + written.stderr;
      if (pattern.test(text)) return text;
      if (child.exitCode !== null) throw new Error(`it ended: ${text}`);
      await Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), ended]);
    }
  };
  return { child, ended, wrote };
}

function usher(t: TestContext, args: readonly string[], env: Env = {}) {
  return start(t, process.execPath, [MAIN, ...args], env);
}

for (const version of ["22.18.0", "24.11.1", "25.9.0"]) {
  test(`Node ${version} is told in one line which version is needed`, async (t) => {
    // Only the version is not the real one: it is replaced before main.ts runs.
    const versions = JSON.stringify({ ...process.versions, node: version });
    const older = `data:text/javascript,Object.defineProperty(process,"versions",{value:${versions}})`;
    const { code, stdout, stderr } = await start(t, process.execPath, ["--import", older, MAIN])
      .ended;
    const told = `usher: needs Node 26 or later, and this is ${version}\n`;
    assert.deepEqual([code, stdout, stderr], [1, "", told]);
  });
}

test("package.json asks for the version of Node that main.ts asks for", () => {
  const source = readFileSync(MAIN, "utf8");
  const major = /MINIMUM_NODE_MAJOR = (\d+)/.exec(source)?.[1];
  assert.equal(packageJson.engines.node, `>=${major}`);
});

function freeSettings(folder: string): Env {
  return {
    USHER_STORAGE: `sqlite:${folder}`,
    USHER_GRPC_LISTEN: "127.0.0.1:0",
    USHER_HTTP_LISTEN: "127.0.0.1:0",
  };
}

/** A server that listens, with where and the three lines that it printed. */
async function serve(t: TestContext, env: Env) {
  const server = usher(t, ["serve"], env);
  const text = await server.wrote(/^\s*curl .*\n/m);
  const [, grpc = "", http = ""] =
    /gRPC on (\S+), Connect and JSON on http:\/\/(\S+)/.exec(text) ?? [];
  const lines = text.split("\n").filter((line) => /^ {2}(grp)?curl /.test(line));
  return { ...server, grpc, http, lines: lines.map((line) => line.trim()) };
}

function callJson(http: string, rpc: string, body: string): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`http://${http}/usher.queue.v1.QueueService/${rpc}`, {
    method: "POST",
    headers,
    body,
  });
}

describe("the command line", () => {
  for (const args of [["help"], ["--help"], ["-h"], ["serve", "--help"]]) {
    test(`${args.join(" ")} tells of every command and exits 0`, async (t) => {
      const { code, stdout, stderr } = await usher(t, args).ended;
      assert.deepEqual([code, stderr], [0, ""]);
      for (const name of [
        "serve",
        "move",
        "version",
        "help",
        "--config FILE",
        "docs/settings.md",
      ]) {
        assert.ok(stdout.includes(name), name);
      }
    });
  }

  for (const args of [["version"], ["--version"]]) {
    test(`${args.join(" ")} prints the version and exits 0`, async (t) => {
      const expected = { code: 0, stdout: `${packageJson.version}\n`, stderr: "" };
      assert.deepEqual(await usher(t, args).ended, expected);
    });
  }

  const misuses: [args: string[], line: string][] = [
    [["nope"], 'There is no command "nope"'],
    [["toString"], 'There is no command "toString"'],
    [["--nope"], "Unknown option '--nope'"],
    [["serve", "-x"], "Unknown option '-x'"],
    [["serve", "twice"], 'serve takes no "twice"'],
    [["serve", "--config"], "Option '--config <value>' argument missing"],
    [["version", "--config", "x"], "version takes no --config"],
    [["serve", "--to", "mongodb://a/b"], "serve takes no --to"],
    [["move"], "move needs --from sqlite:FOLDER"],
    [["move", "--from", "sqlite:x"], "move needs --to mongodb://... or USHER_MOVE_TO"],
  ];
  for (const [args, line] of misuses) {
    test(`${args.join(" ")} is told in one line and exits 2`, async (t) => {
      const stderr = `usher: ${line}; see: npm start -- --help\n`;
      assert.deepEqual(await usher(t, args).ended, { code: 2, stdout: "", stderr });
    });
  }
});

describe("settings", () => {
  test("each fault is a line, and the server does not start", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "usher.yaml");
    writeFileSync(file, "log_level: loud\n");
    const env = { USHER_STORAGE: "x", USHER_NOPE: "1" };
    const { code, stdout, stderr } = await usher(t, ["--config", file], env).ended;
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      [
        "usher: USHER_NOPE: no such setting",
        'usher: USHER_STORAGE: found "x"; allowed: sqlite:<folder>, or a mongodb:// or mongodb+srv:// URL',
        'usher: log_level (line 1): found "loud"; allowed: one of debug, info, warn, error',
        "",
      ].join("\n"),
    );
  });

  test("USHER_CONFIG names the file too, and --config wins over it", async (t) => {
    const folder = temporaryFolder(t);
    const [one, two] = [join(folder, "one.yaml"), join(folder, "two.yaml")];
    writeFileSync(one, "one: 1\n");
    writeFileSync(two, "two: 2\n");
    const byVariable = await usher(t, [], { USHER_CONFIG: one }).ended;
    assert.equal(byVariable.stderr, "usher: one (line 1): no such setting\n");
    const byFlag = await usher(t, ["--config", two], { USHER_CONFIG: one }).ended;
    assert.equal(byFlag.stderr, "usher: two (line 1): no such setting\n");
  });

  test("a settings file that cannot be read is named in one line", async (t) => {
    const file = join(temporaryFolder(t), "none.yaml");
    const why = `cannot read the settings file: ENOENT: no such file or directory, open '${file}'`;
    const byFlag = await usher(t, ["--config", file]).ended;
    assert.deepEqual(byFlag, { code: 1, stdout: "", stderr: `usher: --config: ${why}\n` });
    const byVariable = await usher(t, [], { USHER_CONFIG: file }).ended;
    assert.equal(byVariable.stderr, `usher: USHER_CONFIG: ${why}\n`);
  });

  test("a secret is read from its file", async (t) => {
    const env = { USHER_AUTH_FACEBOOK_CLIENT_SECRET_FILE: join(temporaryFolder(t), "none") };
    const { code, stderr } = await usher(t, [], env).ended;
    const line = "USHER_AUTH_FACEBOOK_CLIENT_SECRET_FILE: cannot read the file it names (ENOENT)";
    assert.deepEqual([code, stderr], [1, `usher: ${line}\n`]);
  });
});

describe("serve", () => {
  test("says where it listens, with three lines that work in their order", async (t) => {
    const { grpc, http, lines } = await serve(t, freeSettings(temporaryFolder(t)));
    assert.equal(lines.length, 3);
    const [list, create, put] = lines as [string, string, string];

    // buf speaks gRPC and reflection as grpcurl does, and comes with npm.
    const buf = async (...args: string[]) => {
      const flags = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args];
      return (await promisify(execFile)("buf", flags)).stdout;
    };
    assert.equal(list, `grpcurl -plaintext ${grpc} list`);
    const services = await buf("--list-services", `http://${grpc}`);
    assert.match(services, /usher\.auth\.v1\.AuthService\n.*usher\.queue\.v1\.QueueService/);

    const [, tube = "", address, method] =
      /^grpcurl -plaintext -d '(.+)' (\S+) (\S+)$/.exec(create) ?? [];
    assert.equal(address, grpc);
    assert.equal(
      JSON.parse(await buf("-d", tube, `http://${grpc}/${method}`)).tube.name,
      "test_queue",
    );

    const [, header = "", task = "", url = ""] = /^curl -H '(.+)' -d '(.+)' (\S+)$/.exec(put) ?? [];
    assert.equal(header, "Content-Type: application/json");
    assert.ok(url.startsWith(`http://${http}/`));
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: task });
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /"id":"1"/);
  });

  test("tells the whole path of its data, and whether it is new", async (t) => {
    const folder = join(temporaryFolder(t), "data");
    for (const isNewData of [true, false]) {
      const { child, ended } = await serve(t, {
        ...freeSettings(folder),
        USHER_STORAGE: `sqlite:${relative(ROOT, folder)}`,
      });
      child.kill("SIGTERM");
      const { stdout, stderr } = await ended;
      const listening = JSON.parse(stdout.split("\n")[0] ?? "");
      assert.equal(listening.msg, "listening");
      assert.equal(listening.data, folder);
      assert.equal(listening.isNewData, isNewData);
      assert.match(stderr, new RegExp(`^Data: ${folder}${isNewData ? " \\(new\\)" : ""}$`, "m"));
    }
  });

  test("writes nothing but JSON lines to stdout", async (t) => {
    const { child, ended } = await serve(t, freeSettings(temporaryFolder(t)));
    child.kill("SIGTERM");
    const { stdout } = await ended;
    const lines = stdout.trimEnd().split("\n");
    const messages = lines.map((line) => JSON.parse(line).msg);
    assert.deepEqual(messages, ["listening", "stopping", "stopped"]);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} stops it in good order: exit 0, and what was put is kept`, async (t) => {
      const env = freeSettings(temporaryFolder(t));
      const first = await serve(t, env);
      const tube = '{"tube":{"name":"q","kind":"TUBE_KIND_FIFO"}}';
      assert.equal((await callJson(first.http, "CreateTube", tube)).status, 200);
      const task = '{"tube":"q","task":{"payload":{"text":"kept"}}}';
      assert.equal((await callJson(first.http, "Put", task)).status, 200);
      first.child.kill(signal);
      const { code, stdout } = await first.ended;
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`"signal":"${signal}","msg":"stopping"`));

      const second = await serve(t, env);
      const taken = await callJson(second.http, "Take", '{"tube":"q"}');
      assert.match(await taken.text(), /"text":"kept"/);
    });
  }

  test("a signal that comes twice in one moment, as npm passes it on, counts once", async (t) => {
    const { child, ended } = await serve(t, freeSettings(temporaryFolder(t)));
    child.kill("SIGINT");
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    assert.equal(code, 0);
    assert.match(stdout, /"msg":"stopped"/);
  });

  test("a second signal, later, ends it at once", async (t) => {
    const env = { ...freeSettings(temporaryFolder(t)), USHER_SHUTDOWN_GRACE: "1h" };
    const { child, ended, wrote, http } = await serve(t, env);
    const [host, port] = http.split(":");
    // A request that is never sent whole keeps the stop waiting.
    const socket = connect(Number(port), host);
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.write(
      "POST /usher.queue.v1.QueueService/Put HTTP/1.1\r\nHost: x\r\n" +
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    await sleep(200);
    child.kill("SIGTERM");
    await wrote(/"msg":"stopping"/);
    await sleep(1_000);
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    assert.equal(code, 1);
    assert.doesNotMatch(stdout, /"msg":"stopped"/);
  });

  test("npm start passes the signal on", async (t) => {
    const { child, ended, wrote } = start(t, "npm", ["start"], freeSettings(temporaryFolder(t)));
    await wrote(/^\s*curl .*\n/m);
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    assert.equal(code, 0);
    assert.match(stdout, /"msg":"stopped"/);
  });

  test("goes on when nobody reads its output any more", async (t) => {
    const { child, http } = await serve(t, freeSettings(temporaryFolder(t)));
    child.stdout.destroy();
    child.stderr.destroy();
    await callJson(http, "Put", "{");
    const answer = await fetch(`http://${http}/healthz`);
    assert.equal(answer.status, 200);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    assert.equal((await exited)[0], 0);
  });

  for (const fault of ["throw new Error('boom')", "Promise.reject(new Error('boom'))"]) {
    test(`a fault in the program is logged, exit 1: ${fault}`, async (t) => {
      const preload = `data:text/javascript,process.on("SIGUSR2", () => { ${fault} })`;
      const env = {
        ...freeSettings(temporaryFolder(t)),
        NODE_OPTIONS: `--import=${encodeURI(preload)}`,
      };
      const { child, ended } = await serve(t, env);
      child.kill("SIGUSR2");
      const { code, stdout } = await ended;
      assert.equal(code, 1);
      const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
      assert.equal(last.level, "error");
      assert.equal(last.err.message, "boom");
    });
  }
});

describe("a start that cannot be is one line and exit 1", () => {
  test("a port in use", async (t) => {
    const busy = createServer().listen(0, "127.0.0.1");
    await once(busy, "listening");
    t.after(() => busy.close());
    const address = busy.address();
    assert.ok(typeof address === "object" && address !== null);
    const listen = `127.0.0.1:${address.port}`;
    for (const variable of ["USHER_GRPC_LISTEN", "USHER_HTTP_LISTEN"]) {
      const env = { ...freeSettings(temporaryFolder(t)), [variable]: listen };
      const stderr = `usher: cannot listen on ${listen} (${variable}): the port is in use\n`;
      assert.deepEqual(await usher(t, [], env).ended, { code: 1, stdout: "", stderr });
    }
  });

  test("a folder in use by another process", async (t) => {
    const folder = temporaryFolder(t);
    await serve(t, freeSettings(folder));
    const stderr = `usher: ${folder} is in use by another Usher process\n`;
    const second = await usher(t, [], freeSettings(folder)).ended;
    assert.deepEqual(second, { code: 1, stdout: "", stderr });
  });

  test("a folder that is a file", async (t) => {
    const file = join(temporaryFolder(t), "file");
    writeFileSync(file, "");
    const { code, stdout, stderr } = await usher(t, [], freeSettings(file)).ended;
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(stderr, `usher: storage: ${file} is a file, not a folder\n`);
  });

  test("a database that is none", async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "usher.db"),
      "not a database, but long enough to be read as one".repeat(99),
    );
    const { code, stdout, stderr } = await usher(t, [], freeSettings(folder)).ended;
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^usher: cannot open .*file is not a database\n$/);
  });
});
