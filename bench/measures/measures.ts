import type { Measure } from "../run/bench.ts";
import { checkSession } from "./check-session.ts";
import { client } from "./client.ts";
import { groups } from "./groups.ts";
import { latency } from "./latency.ts";
import { mongodb } from "./mongodb.ts";
import { signIn } from "./sign-in.ts";
import { streams, streamsWaiting } from "./streams.ts";
import { takers } from "./takers.ts";
import { batches, connectJson, put } from "./unary.ts";
import { waiting } from "./waiting.ts";

/** Everything that is measured, in the order of the table. */
export const measures: readonly Measure[] = [
  { name: "streams", run: streams },
  { name: "streams-waiting", run: streamsWaiting },
  { name: "client", run: client },
  { name: "put", run: put },
  { name: "batches", run: batches },
  { name: "latency", run: latency },
  { name: "connect-json", run: connectJson },
  { name: "check-session", run: checkSession },
  { name: "sign-in", run: signIn },
  { name: "groups", run: groups },
  { name: "waiting", run: waiting },
  { name: "takers", run: takers },
  { name: "mongodb", run: mongodb },
];
