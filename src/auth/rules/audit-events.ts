import type { AuditEvent, NewAuditEvent } from "../repository.ts";

/** An event with every field; empty for what is not known. It stands for one unless it says more. */
export function wholeEvent(event: NewAuditEvent): Omit<AuditEvent, "id"> {
  return {
    userId: "",
    sessionId: "",
    provider: "",
    address: "",
    device: "",
    reason: "",
    count: 1,
    ...event,
  };
}
