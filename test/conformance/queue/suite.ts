import type { QueueStore } from "../../../src/queue/repository.ts";
import type { Suite } from "../cases.ts";
import { commitCases } from "./commits.ts";
import { leaseCases } from "./leases.ts";
import { payloadCases } from "./payloads.ts";
import { recoveryCases } from "./recovery.ts";

export const queueSuite: Suite<QueueStore> = {
  recovery: recoveryCases,
  commits: commitCases,
  payloads: payloadCases,
  "kept leases": leaseCases,
};
