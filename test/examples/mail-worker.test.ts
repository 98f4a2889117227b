import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { SMTPServer } from "smtp-server";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import { TaskState } from "../../gen/usher/queue/v1/task_pb.ts";
import { OTHER_PASSWORD, PASSWORD, signIn } from "../auth/accounts.ts";
import { clientOf, startService } from "../support/service.ts";

const MAIN = new URL("../../examples/mail-worker/main.ts", import.meta.url).pathname;
const email = "ann@example.com";

interface Letter {
  readonly to: string;
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
}

/** An SMTP server whose answers to recipients can be chosen. */
async function startSmtp(t: TestContext) {
  const letters: Letter[] = [];
  const refusals = new Map<string, number[]>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    onRcptTo({ address }, _session, answer) {
      const responseCode = refusals.get(address)?.shift();
      const refused = Object.assign(new Error("refused"), { responseCode });
      answer(responseCode === undefined ? null : refused);
    },
    async onData(stream, { envelope }, answer) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      letters.push(parseLetter(Buffer.concat(chunks).toString(), envelope.rcptTo[0]?.address));
      answer();
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const address = server.server.address();
  assert.ok(address !== null && typeof address === "object");
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { url: `smtp://127.0.0.1:${address.port}`, letters, refusals };
}

/** Enough of MIME for plain letters. */
function parseLetter(source: string, to = ""): Letter {
  const end = source.indexOf("\r\n\r\n");
  const head = source.slice(0, end).replaceAll(/\r\n[ \t]+/g, " ");
  const header = (name: string): string =>
    new RegExp(`^${name}: (.*)$`, "mi").exec(head)?.[1]?.trim() ?? "";
  const body = source.slice(end + 4);
  const text = header("Content-Transfer-Encoding") === "quoted-printable" ? unquote(body) : body;
  return { to, messageId: header("Message-ID"), subject: header("Subject"), text };
}

function unquote(body: string): string {
  return body
    .replaceAll("=\r\n", "")
    .replaceAll(/=([\dA-F]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** What the link of a letter carries. */
function linkOf({ text }: Letter): URLSearchParams {
  const link = /https:\S+/.exec(text)?.[0];
  assert.ok(link, text);
  return new URLSearchParams(new URL(link).hash.slice(1));
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(10);
  }
}

test("the mail worker mails codes, tokens and notices, once each", async (t) => {
  const smtp = await startSmtp(t);
  const usher = await startService(t, {
    USHER_AUTH_MAIL_TUBE: "mail",
    USHER_AUTH_RETURN_CODES: "false",
    USHER_AUTH_PASSWORD_MEMORY: "1MiB",
  });
  const worker = spawn(
    process.execPath,
    [MAIN, "--address", usher.grpcAddress, "--smtp", smtp.url, "--site", "https://app.example"],
    { stdio: "ignore" },
  );
  t.after(() => worker.kill("SIGKILL"));
  const exited = once(worker, "exit");
  const auth = clientOf(usher, AuthService);
  const queue = clientOf(usher, QueueService);
  const letterTo = (to: string, nth = 0): Promise<Letter> =>
    until(() => smtp.letters.filter((letter) => letter.to === to)[nth]);

  // Refused for now, twice: it is tried again.
  smtp.refusals.set(email, [451, 451]);
  const { user } = await auth.register({ email });
  const activation = await letterTo(email);
  assert.equal(activation.subject, "Please confirm your email");
  assert.match(activation.messageId, /^<mail-1@app\.example>$/);
  assert.equal(linkOf(activation).get("email"), email);
  const code = linkOf(activation).get("code") ?? "";
  await auth.completeRegistration({ email, code, password: PASSWORD });

  // Refused for good: it is buried with the server's words.
  smtp.refusals.set("nobody@example.com", [550]);
  await auth.register({ email: "nobody@example.com" });
  const buried = await until(async () => {
    const { tasks } = await queue.listTasks({ tube: "mail", state: TaskState.BURIED });
    return tasks[0];
  });
  assert.match(buried.reason, /550/);

  await auth.requestPasswordReset({ email });
  const resetToken = linkOf(await letterTo(email, 1)).get("token") ?? "";
  await auth.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
  const notice = await letterTo(email, 2);
  assert.equal(notice.subject, "Your password was changed");
  await signIn(auth, email, OTHER_PASSWORD);
  assert.ok(user);

  worker.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  const left = await queue.listTasks({ tube: "mail" });
  assert.deepEqual(
    left.tasks.map(({ state }) => state),
    [TaskState.BURIED],
  );
  assert.equal(smtp.letters.length, 3);
});
