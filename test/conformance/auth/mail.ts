import assert from "node:assert/strict";
import type { AuthRepository, NewMail } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import { DAY, hashOf, makeActive, NOW, register, registration } from "./fixtures.ts";

function mail(id: string, given: Partial<NewMail> = {}): NewMail {
  return { id, sealed: `sealed ${id}`, expireTime: NOW + DAY, ...given };
}

async function idsOfMail(repository: AuthRepository, limit = 100): Promise<string> {
  return (await repository.listMail(limit)).map(({ id }) => id).join(" ");
}

const reset = { emailKey: "ann@example.com", tokenHash: hashOf("reset"), now: NOW };

export const mailCases: Cases = {
  async "mail is kept with the change that it tells of, in a reopened store too"(storage) {
    const repository = await storage.open();
    const kept = [
      mail("a"),
      mail("b"),
      mail("c", { expireTime: undefined }),
      mail("d", { expireTime: undefined, sealed: "\u{1F600}" }),
    ] as const;
    await register(repository, "bob@example.com", { mail: kept[0] });
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await repository.saveResetToken({ ...reset, expireTime: NOW + DAY, mail: kept[1] });
    const completed = { ...reset, passwordHash: "hash 2", mail: kept[2] };
    assert.equal(await repository.completePasswordReset(completed), true);
    const change = { attemptId: "", userId: "ann", passwordHash: "hash 2", mail: kept[3] };
    await repository.changePassword({
      ...change,
      newPasswordHash: "hash 3",
      keptTokenHash: undefined,
      now: NOW,
    });
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(await reopened.listMail(100), kept);
  },

  async "mail is listed oldest first, and is gone once removed"(storage) {
    const repository = await storage.open();
    for (const id of ["c", "a", "d", "b"]) {
      await register(repository, `${id}@example.com`, { mail: mail(id) });
    }
    assert.equal(await idsOfMail(repository), "c a d b");
    assert.equal(await idsOfMail(repository, 2), "c a");
    await repository.removeMail(["a", "unknown", "c"]);
    assert.equal(await idsOfMail(repository), "d b");
    await repository.removeMail([]);
    assert.equal(await idsOfMail(repository), "d b");
  },

  async "no mail is kept for a change that is refused"(storage) {
    const repository = await storage.open();
    await makeActive(repository, "ann@example.com", { userId: "ann" });
    await repository.registerUser(registration("ann@example.com", { mail: mail("a") }));
    const nobody = { ...reset, emailKey: "nobody@example.com" };
    await repository.saveResetToken({ ...nobody, expireTime: NOW + DAY, mail: mail("b") });
    await repository.completePasswordReset({ ...reset, passwordHash: "x", mail: mail("c") });
    await repository.changePassword({
      attemptId: "",
      userId: "ann",
      passwordHash: "wrong",
      newPasswordHash: "new",
      keptTokenHash: undefined,
      mail: mail("d"),
      now: NOW,
    });
    assert.equal(await idsOfMail(repository), "");
  },
};
