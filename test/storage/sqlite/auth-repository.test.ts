import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AuthRepository } from "../../../src/auth/repository.ts";
import { createAuthRepository } from "../../../src/storage/sqlite/auth/repository.ts";
import { prepareAuthStatements } from "../../../src/storage/sqlite/auth/statements.ts";
import { openDatabase, type SqliteDatabase } from "../../../src/storage/sqlite/database.ts";
import {
  DAY,
  liveSession,
  MINUTE,
  NOW,
  register,
  SESSION_LIFE,
  savedState,
  signIn,
  signInWithToken,
} from "../../conformance/auth/fixtures.ts";

interface Store {
  readonly db: SqliteDatabase;
  readonly repository: AuthRepository;
  count(table: string): unknown;
}

function openStore(t: TestContext): Store {
  const folder = mkdtempSync(join(tmpdir(), "usher-auth-"));
  const db = openDatabase(folder);
  t.after(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });
  return {
    db,
    repository: createAuthRepository(db),
    count: (table) => db.handle.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"],
  };
}

test("no statement of AuthService walks a table", (t) => {
  const { db } = openStore(t);
  for (const [name, statement] of Object.entries(prepareAuthStatements(db.handle))) {
    const plan = db.handle.prepare(`EXPLAIN QUERY PLAN ${statement.sourceSQL}`).all();
    for (const step of plan) {
      const detail = String(step["detail"]);
      // The outbox is read from the head of its table, and the others run once, at the start.
      if (["listMail", "dropCutOffAttempts", "failCutOffAttempts"].includes(name)) continue;
      const walks = detail.startsWith("SCAN") && !detail.includes("USING");
      assert.equal(walks, false, `${name}: ${detail}`);
    }
  }
});

test("a user's removal takes accounts, sessions and codes with it", async (t) => {
  const { db, repository, count } = openStore(t);
  await signIn(repository, { newUserId: "ann" });
  await register(repository, "bob@example.com", { userId: "bob" });
  db.handle.exec("DELETE FROM users");
  for (const table of ["social_accounts", "sessions", "activation_codes"]) {
    assert.equal(count(table), 0);
  }
});

test("a pending user who is activated has neither code nor password left", async (t) => {
  const { db, repository, count } = openStore(t);
  const { email } = await register(repository, "ann@example.com", { userId: "ann" });
  db.handle.exec("UPDATE users SET password_hash = 'left by someone else'");
  const account = { email: { address: email, key: email }, emailVerified: true };
  const { user } = await signIn(repository, { account });
  assert.equal(user.id, "ann");
  assert.equal(user.hasPassword, false);
  assert.equal(count("activation_codes"), 0);
});

test("states and sessions that are over do not pile up", async (t) => {
  const { repository, count } = openStore(t);
  for (let nth = 0; nth < 50; nth++) {
    await repository.saveState(savedState(`state ${nth}`), NOW);
    await signIn(repository);
  }
  for (let nth = 0; nth < 10; nth++) {
    const now = NOW + SESSION_LIFE + nth;
    const expireTime = now + 10 * MINUTE;
    await repository.saveState(savedState(`later ${nth}`, { expireTime }), now);
    await signIn(repository, { now });
  }
  assert.equal(count("social_states"), 10);
  assert.equal(count("sessions"), 10);
});

test("a check of a session is written once a minute at most", async (t) => {
  const { db, repository } = openStore(t);
  await signInWithToken(repository, "token");
  const stored = (): unknown =>
    db.handle.prepare("SELECT last_seen_time FROM sessions").get()?.["last_seen_time"];
  await liveSession(repository, "token", { now: NOW + MINUTE - 1 });
  assert.equal(stored(), NOW);
  await liveSession(repository, "token", { now: NOW + MINUTE });
  assert.equal(stored(), NOW + MINUTE);
  await liveSession(repository, "token", { now: NOW + DAY });
  assert.equal(stored(), NOW + DAY);
});

test("a list of users with few among many is told in short pages", async (t) => {
  const { db, repository } = openStore(t);
  const profile = { firstName: "", lastName: "", picture: "", locale: "", attributes: {} };
  const users = Array.from({ length: 2_500 }, (_, nth) => {
    const address = `user${10_000 + nth}@example.com`;
    return { userId: `${nth}`, email: { address, key: address }, profile, passwordHash: "" };
  });
  await repository.importUsers({ users, now: NOW });
  db.handle.exec("UPDATE users SET state = 'deactivated' WHERE id IN ('1200', '2499')");
  const sizes = [];
  let after: string | undefined;
  do {
    const page = await repository.listUsers({
      limit: 100,
      after,
      state: "deactivated",
      emailKeyPrefix: "user",
      provider: "",
    });
    sizes.push(page.users.length);
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(sizes, [0, 1, 1]);
});
