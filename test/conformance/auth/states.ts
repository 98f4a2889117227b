import assert from "node:assert/strict";
import type { Cases } from "./cases.ts";
import { hashOf, NOW, savedState } from "./fixtures.ts";

const request = { stateHash: hashOf("state"), provider: "facebook", now: NOW };

export const stateCases: Cases = {
  async "gives back what was saved with the state, in a reopened store too"(storage) {
    const repository = await storage.open();
    const first = savedState("state", { clientState: "/start?\u{1F600}", nonce: "nonce" });
    const second = savedState("other", { redirectUri: "https://app.example/other" });
    await repository.saveState(first, NOW);
    await repository.saveState(second, NOW);
    assert.deepEqual(plain(await repository.consumeState(request)), plain(first));
    await storage.close();
    const reopened = await storage.open();
    const other = { ...request, stateHash: hashOf("other") };
    assert.deepEqual(plain(await reopened.consumeState(other)), plain(second));
  },

  async "a state is good once, whoever asks at the same time"(storage) {
    const repository = await storage.open();
    await repository.saveState(savedState("state"), NOW);
    const askers = Array.from({ length: 8 }, () => repository.consumeState(request));
    const given = (await Promise.all(askers)).filter((state) => state !== undefined);
    assert.equal(given.length, 1);
    assert.equal(await repository.consumeState(request), undefined);
  },

  async "a state is over at its expire time"(storage) {
    const repository = await storage.open();
    await repository.saveState(savedState("state", { expireTime: NOW + 1 }), NOW);
    await repository.saveState(savedState("over", { expireTime: NOW }), NOW);
    const over = { ...request, stateHash: hashOf("over") };
    assert.equal(await repository.consumeState(over), undefined);
    assert.ok(await repository.consumeState(request));
  },

  async "a state of another provider is not given, and stays good for its own"(storage) {
    const repository = await storage.open();
    await repository.saveState(savedState("state"), NOW);
    assert.equal(await repository.consumeState({ ...request, provider: "google" }), undefined);
    assert.equal(await repository.consumeState({ ...request, provider: "Facebook" }), undefined);
    assert.ok(await repository.consumeState(request));
  },
};

/** Buffers and Uint8Arrays of the same bytes are the same to a caller. */
function plain(state: ReturnType<typeof savedState> | undefined): object | undefined {
  return state && { ...state, stateHash: Buffer.from(state.stateHash).toString("hex") };
}
