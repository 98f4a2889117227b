import assert from "node:assert/strict";
import { describe } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuditEventType } from "../../gen/usher/auth/v1/audit_pb.ts";
import { test } from "../support/on-each-storage.ts";
import { eventsOf, OTHER_PASSWORD, PASSWORD, signIn, signUp } from "./accounts.ts";
import { MINUTE, refused, startRoom } from "./room.ts";

const email = "ann@example.com";

function nameOf(type: AuditEventType): string | undefined {
  return Object.entries(AuditEventType).find(([, value]) => value === type)?.[0];
}

describe("ListAuditEvents", () => {
  test("tells the whole life of an account, the newest first, without secrets", async (t) => {
    const { client } = await startRoom(t);
    const { id: userId } = await signUp(client, email);
    const secrets = [PASSWORD, OTHER_PASSWORD];
    secrets.push(await signIn(client, email));
    await refused(client.signIn({ email, password: OTHER_PASSWORD }), "WRONG_PASSWORD");
    const { resetToken } = await client.requestPasswordReset({ email });
    secrets.push(resetToken);
    await client.completePasswordReset({ email, resetToken, password: OTHER_PASSWORD });
    await client.updateProfile({ userId, profile: { firstName: "Ann" } });
    await client.deactivateUser({ userId });
    await client.activateUser({ userId });
    await client.deleteUser({ userId });
    const events = await eventsOf(client, userId);
    assert.deepEqual(
      events.map(({ type }) => nameOf(type)),
      [
        "DELETED",
        "ACTIVATED",
        "DEACTIVATED",
        "PROFILE_UPDATED",
        "PASSWORD_RESET_COMPLETED",
        "SESSION_REVOKED",
        "PASSWORD_RESET_REQUESTED",
        "SIGN_IN_FAILED",
        "SIGNED_IN",
        "REGISTRATION_COMPLETED",
        "REGISTERED",
      ],
    );
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    const text = JSON.stringify(events, (_, value) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    for (const secret of secrets) assert.ok(!text.includes(secret));
  });

  test("pages by time, and goes on where the page before ended", async (t) => {
    const { client, clock } = await startRoom(t, { settings: { maxMailsPerAddress: 7 } });
    const start = clock.now();
    for (let nth = 0; nth < 7; nth++) {
      await client.register({ email, userId: "ann" });
      clock.step(MINUTE);
    }
    await client.register({ email: "bob@example.com", userId: "bob" });
    const filters = [
      { filter: {}, count: 8 },
      { filter: { userId: "ann" }, count: 7 },
      { filter: { startTime: timestampFromMs(start + 2 * MINUTE) }, count: 6 },
      { filter: { endTime: timestampFromMs(start + 2 * MINUTE) }, count: 2 },
      { filter: { userId: "bob", endTime: timestampFromMs(start) }, count: 0 },
      { filter: { startTime: { seconds: BigInt(start / 1_000), nanos: 1 } }, count: 7 },
      { filter: { endTime: { seconds: BigInt(start / 1_000), nanos: 1 } }, count: 1 },
    ];
    for (const { filter, count } of filters) {
      const times: number[] = [];
      let pageToken = "";
      do {
        const page = await client.listAuditEvents({ ...filter, pageSize: 3, pageToken });
        assert.ok(page.events.length <= 3);
        times.push(...page.events.map(({ time }) => Number(time?.seconds)));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      assert.equal(times.length, count);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => b - a),
      );
    }
  });

  test("a bad field is named", async (t) => {
    const { client } = await startRoom(t);
    const token = (text: string): string => Buffer.from(JSON.stringify(text)).toString("base64url");
    const bad = [
      { field: "page_size", request: { pageSize: -1 } },
      { field: "page_size", request: { pageSize: 1_001 } },
      { field: "page_token", request: { pageToken: "junk!" } },
      { field: "page_token", request: { pageToken: token("junk") } },
      { field: "page_token", request: { pageToken: token("1 x") } },
      { field: "user_id", request: { userId: "a b" } },
      { field: "start_time", request: { startTime: { seconds: 2n ** 62n, nanos: 0 } } },
      { field: "end_time", request: { endTime: { seconds: 0n, nanos: -1 } } },
    ];
    for (const { field, request } of bad) {
      await refused(client.listAuditEvents(request), "INVALID_PARAMS", field);
    }
  });
});
