import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import { PASSWORD, signUp } from "../auth/accounts.ts";
import { refused } from "../auth/room.ts";
import { freeListens, startProcess, temporaryFolder } from "../support/process.ts";
import { clientOf } from "../support/service.ts";

test("a crash during right sign-ins locks nobody out, and nobody waits for the tries", async (t) => {
  const folder = temporaryFolder(t);
  const listens = await freeListens();
  const addresses = { grpcAddress: listens.grpc, httpAddress: listens.http };
  const connect = () => clientOf(addresses, AuthService, "Connect over HTTP/1.1");
  const email = "ann@example.com";
  let running = await startProcess(t, folder, listens);
  await signUp(connect(), email);
  for (const delay of [20, 60]) {
    const client = connect();
    const right = () => client.signIn({ email, password: PASSWORD });
    const tries = Promise.allSettled(Array.from({ length: 12 }, right));
    await pause(delay);
    await running.end("SIGKILL");
    await tries;
    running = await startProcess(t, folder, listens);
    // Neither TOO_MANY_ATTEMPTS nor a wait of a minute, which this call's deadline would end.
    const { user } = await connect().signIn({ email, password: PASSWORD }, { timeoutMs: 30_000 });
    assert.equal(user?.email, email);
  }
  // The limit still holds for those who guess.
  const guesses = Array.from({ length: 10 }, () => {
    return refused(connect().signIn({ email, password: "Wrong horse 1" }), "WRONG_PASSWORD");
  });
  await Promise.allSettled(guesses);
  await refused(connect().signIn({ email, password: PASSWORD }), "TOO_MANY_ATTEMPTS");
});
