import assert from "node:assert/strict";
import type { AuthRepository, SigningKey } from "../../../src/auth/repository.ts";
import type { Cases } from "../cases.ts";
import { DAY, NOW } from "./fixtures.ts";

function signingKey(id: string, useTime: number): SigningKey {
  return { id, publicKey: `{"kid":"${id}"}`, sealedPrivateKey: `sealed ${id}`, useTime };
}

export const signingKeyCases: Cases<AuthRepository> = {
  async "signing keys are kept as they were added, in a reopened store too"(storage) {
    const repository = await storage.open();
    assert.deepEqual(await repository.listSigningKeys(), []);
    const first = signingKey("b", NOW);
    const second = signingKey("a", NOW + DAY);
    const tie = signingKey("0", NOW + DAY);
    let newestId: string | undefined;
    for (const key of [first, second, tie]) {
      assert.equal(await repository.addSigningKey({ key, newestId, dropIds: [] }), true);
      newestId = key.id;
    }
    assert.deepEqual(await repository.listSigningKeys(), [first, second, tie]);
    await storage.close();
    const reopened = await storage.open();
    assert.deepEqual(await reopened.listSigningKeys(), [first, second, tie]);
  },

  async "a signing key is added once, whoever finds at the same time that one is due"(storage) {
    const repository = await storage.open();
    const adders = Array.from({ length: 8 }, (_, nth) =>
      repository.addSigningKey({
        key: signingKey(`${nth}`, NOW),
        newestId: undefined,
        dropIds: [],
      }),
    );
    const added = (await Promise.all(adders)).filter((done) => done);
    assert.equal(added.length, 1);
    const [only] = await repository.listSigningKeys();
    const late = { key: signingKey("late", NOW), newestId: undefined, dropIds: [] };
    assert.equal(await repository.addSigningKey(late), false);
    assert.equal(await repository.addSigningKey({ ...late, newestId: only?.id }), true);
  },

  async "keys that are dropped go with the addition or not at all"(storage) {
    const repository = await storage.open();
    const first = signingKey("first", NOW);
    const second = signingKey("second", NOW + DAY);
    await repository.addSigningKey({ key: first, newestId: undefined, dropIds: [] });
    const swap = { key: second, newestId: "other", dropIds: ["first", "unknown"] };
    assert.equal(await repository.addSigningKey(swap), false);
    assert.deepEqual(await repository.listSigningKeys(), [first]);
    assert.equal(await repository.addSigningKey({ ...swap, newestId: "first" }), true);
    assert.deepEqual(await repository.listSigningKeys(), [second]);
  },
};
