import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AuthService } from "../../../gen/usher/auth/v1/auth_pb.ts";
import { startOpenId } from "../../auth/openid-stand-in.ts";
import { temporaryFolder } from "../../support/process.ts";
import { Queue, until } from "../../support/queue.ts";
import { clientOf, startService } from "../../support/service.ts";

test("DeleteUser leaves no email, name or hash in any file of the data folder", async (t) => {
  const folder = temporaryFolder(t);
  const usher = await startService(t, {
    USHER_STORAGE: `sqlite:${folder}`,
    USHER_AUTH_MAIL_TUBE: "mail",
  });
  const auth = clientOf(usher, AuthService);
  const queue = Queue.of(usher);
  const passwordHash = createHash("sha256").update("no password").digest("hex");
  const names = { firstName: "Wilhelmina", lastName: "Xanthopoulos" };
  const profile = {
    ...names,
    picture: "https://pictures.example/w",
    attributes: { room: "Zimmer" },
  };
  const email = "Wilhelmina@Xanthopoulos.example";
  await auth.importUsers({ users: [{ userId: "w", email, passwordHash, profile }] });
  await auth.importUsers({ users: [{ userId: "s", email: "somebody@stays.example" }] });
  await assert.rejects(auth.signIn({ email, password: "a wrong password" }));
  await auth.requestPasswordReset({ email });
  await auth.register({ email: "pending@xanthopoulos.example" });
  // The mails with the emails and the secrets are sent.
  await until(async () => (await queue.counts("mail")).ready === 2, "two mails");
  for (const { lease } of await queue.takeUpTo(2, "mail")) await queue.client.ack({ lease });

  const secrets = /wilhelmina|xanthopoulos|pictures\.example|zimmer/i;
  const written = (): string =>
    readdirSync(folder)
      .filter((name) => name !== "usher.reserve")
      .map((name) => readFileSync(join(folder, name), "latin1"))
      .join("");
  assert.match(written(), secrets);
  assert.ok(written().includes(passwordHash));
  const [pending] = (await auth.listUsers({ emailPrefix: "pending@" })).users;
  await auth.deleteUser({ userId: pending?.id ?? "" });
  await auth.deleteUser({ userId: "w" });
  await until(() => !secrets.test(written()) && !written().includes(passwordHash), "all is erased");
  assert.match(written(), /somebody@stays\.example/);
});

test("a PKCE verifier and a nonce never stand in a file as they are", async (t) => {
  const folder = temporaryFolder(t);
  const provider = await startOpenId();
  t.after(() => provider.close());
  const redirectUri = "https://app.example/signed-in";
  const usher = await startService(t, {
    USHER_STORAGE: `sqlite:${folder}`,
    USHER_AUTH_OIDC_ACME_ISSUER: provider.url,
    USHER_AUTH_OIDC_ACME_CLIENT_ID: provider.settings.clientId ?? "",
    USHER_AUTH_OIDC_ACME_CLIENT_SECRET: provider.clientSecret,
    USHER_AUTH_OIDC_ACME_REDIRECT_URIS: redirectUri,
  });
  const auth = clientOf(usher, AuthService);
  const { url } = await auth.getSocialAuthUrl({ provider: "acme", redirectUri });
  const { searchParams } = new URL(url);
  const nonce = searchParams.get("nonce") ?? "";
  const challenge = searchParams.get("code_challenge");
  const written = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "latin1"))
    .join("");
  assert.ok(written.includes(redirectUri), "the state is on disk");
  assert.ok(nonce !== "" && !written.includes(nonce));
  for (const [text] of written.matchAll(/[A-Za-z0-9_-]{43}/g)) {
    assert.notEqual(createHash("sha256").update(text).digest("base64url"), challenge);
  }
});
