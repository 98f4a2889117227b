import type { DatabaseSync } from "node:sqlite";
import type { KeptLeases } from "../../../queue/repository.ts";
import { timeOrNull, toLease, toSession } from "./rows.ts";

/** Keeps what is given in place of all that was kept, as part of the transaction under way. */
export function writeKept(handle: DatabaseSync, { leases, sessions }: KeptLeases): void {
  removeKept(handle);
  const insertLease = handle.prepare("INSERT INTO kept_leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  for (const { token, tube, id, fence, attempts, deadline, session, leftMs } of leases) {
    const ends = [timeOrNull(deadline), session, timeOrNull(leftMs)];
    insertLease.run(token, tube, id, fence, attempts, ...ends);
  }
  const insertSession = handle.prepare("INSERT INTO kept_sessions VALUES (?, ?, ?, ?)");
  for (const { id, ttlMs, expiresAt, leftMs } of sessions) {
    insertSession.run(id, ttlMs, expiresAt, timeOrNull(leftMs));
  }
}

/** Takes out what was kept, as part of the transaction under way. */
export function takeKept(handle: DatabaseSync): KeptLeases {
  const leases = handle.prepare("SELECT * FROM kept_leases").all().map(toLease);
  const sessions = handle.prepare("SELECT * FROM kept_sessions").all().map(toSession);
  removeKept(handle);
  return { leases, sessions };
}

function removeKept(handle: DatabaseSync): void {
  handle.exec("DELETE FROM kept_leases; DELETE FROM kept_sessions");
}
