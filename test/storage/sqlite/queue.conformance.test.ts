import { createQueueStore } from "../../../src/storage/sqlite/queue/store.ts";
import { queueSuite } from "../../conformance/queue/suite.ts";
import { runOnSqlite } from "./conformance.ts";

runOnSqlite("QueueStore", queueSuite, createQueueStore);
