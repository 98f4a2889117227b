import assert from "node:assert/strict";
import type { AuditEvent, AuditQuery, AuthRepository } from "../../../src/auth/repository.ts";
import type { Cases } from "./cases.ts";
import { NOW } from "./fixtures.ts";

const everything: AuditQuery = {
  limit: 1_000,
  after: undefined,
  userId: undefined,
  startTime: undefined,
  endTime: undefined,
};

export function listEvents(
  repository: AuthRepository,
  given: Partial<AuditQuery> = {},
): Promise<readonly AuditEvent[]> {
  return repository.listEvents({ ...everything, ...given });
}

/** Records failures that are told apart by their reasons. */
async function record(
  repository: AuthRepository,
  ...events: readonly { readonly reason: string; readonly time: number; readonly userId?: string }[]
): Promise<void> {
  for (const event of events) await repository.recordEvent({ type: "sign_in_failed", ...event });
}

function reasonsOf(events: readonly AuditEvent[]): string {
  return events.map(({ reason }) => reason).join(" ");
}

export const auditCases: Cases = {
  async "events are listed the newest first, those of one millisecond too"(storage) {
    const repository = await storage.open();
    const full = {
      type: "sign_in_failed",
      time: NOW,
      userId: "ann",
      sessionId: "s",
      provider: "vk",
      address: "192.0.2.1",
      device: "Phone \u{1F600}",
      reason: "a",
    } as const;
    await repository.recordEvent(full);
    await record(repository, { reason: "b", time: NOW }, { reason: "c", time: NOW + 1 });
    const events = await listEvents(repository);
    assert.equal(reasonsOf(events), "c b a");
    const { id, ...told } = events[2] ?? {};
    assert.deepEqual(told, full);
    assert.equal(new Set(events.map((event) => event.id)).size, 3);
    assert.ok(id);
  },

  async "events are filtered by user, by start time and by end time"(storage) {
    const repository = await storage.open();
    const ann = { userId: "ann" };
    await record(
      repository,
      { reason: "a", time: NOW, ...ann },
      { reason: "b", time: NOW },
      { reason: "c", time: NOW + 1, ...ann },
      { reason: "d", time: NOW + 2, userId: "Ann" },
      { reason: "e", time: NOW + 3, ...ann },
    );
    const list = async (given: Partial<AuditQuery>): Promise<string> =>
      reasonsOf(await listEvents(repository, given));
    assert.equal(await list(ann), "e c a");
    assert.equal(await list({ userId: "bob" }), "");
    assert.equal(await list({ startTime: NOW + 1 }), "e d c");
    assert.equal(await list({ endTime: NOW + 1 }), "b a");
    assert.equal(await list({ startTime: NOW + 1, endTime: NOW + 3, ...ann }), "c");
    assert.equal(await list({ startTime: NOW + 1, endTime: NOW + 1 }), "");
  },

  async "a list goes on after an event, whatever came meanwhile"(storage) {
    const repository = await storage.open();
    const times = [0, 0, 0, 1, 1, 2];
    const events = times.map((ms, nth) => ({ reason: `${nth}`, time: NOW + ms, userId: "ann" }));
    await record(repository, ...events);
    for (const userId of [undefined, "ann"]) {
      const told: string[] = [];
      let after: AuditQuery["after"];
      for (;;) {
        const page = await listEvents(repository, { limit: 2, after, userId, endTime: NOW + 3 });
        if (page.length === 0) break;
        told.push(reasonsOf(page));
        after = page.at(-1);
        await record(repository, { reason: "late", time: NOW + 3, userId: "ann" });
      }
      assert.deepEqual(told, ["5 4", "3 2", "1 0"]);
    }
  },
};
