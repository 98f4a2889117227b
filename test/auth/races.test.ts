import { test } from "../support/on-each-storage.ts";
import { raceCases } from "./race-cases.ts";
import { startRoom } from "./room.ts";

/** For the provider, which answers all racers at once. */
const UNHURRIED_MS = 10_000;

for (const { name, trustEmail = false, run } of raceCases) {
  test(name, async (t) => {
    const { client } = await startRoom(t, {
      facebook: { trustEmail, requestTimeoutMs: UNHURRIED_MS },
    });
    await run([client]);
  });
}
