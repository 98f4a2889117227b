import assert from "node:assert/strict";
import { describe } from "node:test";
import { type DescMessage, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ListUsersResponseSchema } from "../../gen/usher/auth/v1/accounts_pb.ts";
import { ListAuditEventsResponseSchema } from "../../gen/usher/auth/v1/audit_pb.ts";
import { ListSessionsResponseSchema } from "../../gen/usher/auth/v1/sessions_pb.ts";
import type { NewUser } from "../../src/auth/repository.ts";
import { email as parsed } from "../conformance/auth/fixtures.ts";
import { test } from "../support/on-each-storage.ts";
import { DAY, refused, startRoom } from "./room.ts";

/** gRPC clients refuse more by default. */
const LARGEST = 4 * 2 ** 20;

const LARGEST_PAGE = 1_000;

/** Characters of four bytes, and characters of which JSON makes six. */
const texts = ["\u{1f600}", "\u0001"];

/** Longest by its characters; each takes up to four bytes. */
function longestEmail(nth: number): string {
  const domain = `${nth}.${"x".repeat(60)}.example`;
  return `${"\u{20000}".repeat(254 - domain.length - 1)}@${domain}`;
}

function bytesOf<Desc extends DescMessage>(schema: Desc, answer: MessageShape<Desc>): number {
  const json = toJsonString(schema, answer);
  return Math.max(toBinary(schema, answer).length, Buffer.byteLength(json));
}

/** Walks all pages. Returns how many entries each has; none is too large. */
async function walk<Desc extends DescMessage>(
  schema: Desc,
  ask: (pageToken: string) => Promise<MessageShape<Desc> & { readonly nextPageToken: string }>,
  entriesOf: (answer: MessageShape<Desc>) => readonly unknown[],
): Promise<readonly number[]> {
  const sizes: number[] = [];
  let pageToken = "";
  do {
    const answer = await ask(pageToken);
    const bytes = bytesOf(schema, answer);
    assert.ok(bytes < LARGEST, `${bytes} bytes`);
    sizes.push(entriesOf(answer).length);
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
  return sizes;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

describe("The largest page of the largest entries is no larger than clients take:", () => {
  test("ListUsers", async (t) => {
    const { client, repository, clock } = await startRoom(t);
    const count = 600;
    const users = Array.from({ length: count }, (_, nth): NewUser => {
      const text = texts[nth % texts.length] ?? "";
      const attributes = { a: text.repeat(16_000 / Buffer.byteLength(text)) };
      const profile = { firstName: "", lastName: "", picture: "", locale: "", attributes };
      const userId = `${nth}`.padStart(64, "u");
      return { userId, email: parsed(longestEmail(nth)), profile, passwordHash: "" };
    });
    for (let start = 0; start < count; start += 100) {
      const batch = users.slice(start, start + 100);
      await repository.importUsers({ users: batch, now: clock.now() });
    }
    for (const emailPrefix of ["", "\u{20000}"]) {
      const sizes = await walk(
        ListUsersResponseSchema,
        (pageToken) => client.listUsers({ emailPrefix, pageSize: LARGEST_PAGE, pageToken }),
        (answer) => answer.users,
      );
      assert.equal(sum(sizes), count);
      // Half of them are 96 KB in JSON, so that a page cannot have many more than these.
      assert.ok(sizes.length < 15, `${sizes}`);
    }
  });

  test("ListAuditEvents", async (t) => {
    const { client, repository, clock } = await startRoom(t);
    const event = {
      type: "social_account_link_failed",
      userId: "u".repeat(64),
      sessionId: "s".repeat(36),
      provider: "p".repeat(64),
      address: "2001:0db8:ffff:ffff:ffff:ffff:255.255.255.255",
      reason: "SOCIAL_ACCOUNT_IN_USE",
      count: 2 ** 31 - 1,
    } as const;
    for (const text of texts) {
      for (let nth = 0; nth < LARGEST_PAGE / 10; nth++) {
        const device = text.repeat(512);
        await repository.recordEvent({ ...event, device, time: clock.now() });
      }
    }
    await largestPageFits(
      ListAuditEventsResponseSchema,
      (pageSize) => client.listAuditEvents({ pageSize }),
      (answer) => answer.events,
    );
  });

  test("ListSessions", async (t) => {
    const { client, repository, clock } = await startRoom(t, {
      settings: { maxSessionsPerUser: 1_000 },
    });
    const userId = "u".repeat(64);
    await client.importUsers({ users: [{ email: "ann@example.com", userId }] });
    const now = clock.now();
    const account = {
      provider: "p".repeat(64),
      socialId: "1",
      email: parsed("ann@example.com"),
      emailVerified: true,
      sealedCredentials: "",
    };
    const profile = { firstName: "", lastName: "", picture: "", locale: "" };
    for (const [index, text] of texts.entries()) {
      for (let nth = 0; nth < LARGEST_PAGE / 10; nth++) {
        const session = {
          id: `${index} ${nth}`.padStart(36, "s"),
          tokenHash: Buffer.from(`${index} ${nth}`),
          device: text.repeat(512),
          address: "2001:0db8:ffff:ffff:ffff:ffff:255.255.255.255",
          expireTime: now + DAY,
          mostOfUser: 1_000,
        };
        const signIn = { account, profile, session, newUserId: "", now };
        await repository.signInSocially(signIn);
      }
    }
    await largestPageFits(
      ListSessionsResponseSchema,
      (pageSize) => client.listSessions({ userId, pageSize }),
      (answer) => answer.sessions,
    );
  });
});

/**
 * Asks for a tenth of the largest page, of which the newest entries are the largest in JSON, and
 * for the entries before. Ten times either is no larger than clients take.
 */
async function largestPageFits<Desc extends DescMessage>(
  schema: Desc,
  ask: (pageSize: number) => Promise<MessageShape<Desc>>,
  entriesOf: (answer: MessageShape<Desc>) => readonly unknown[],
): Promise<void> {
  const tenth = await ask(LARGEST_PAGE / 10);
  assert.equal(entriesOf(tenth).length, LARGEST_PAGE / 10);
  const all = await ask(LARGEST_PAGE);
  assert.equal(entriesOf(all).length, LARGEST_PAGE / 5);
  for (const bytes of [bytesOf(schema, tenth) * 10, bytesOf(schema, all) * 5]) {
    assert.ok(bytes < LARGEST, `${bytes} bytes`);
  }
  await refused(ask(LARGEST_PAGE + 1), "INVALID_PARAMS", "page_size");
}
