import { argon2Sync, randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { create, toBinary } from "@bufbuild/protobuf";
import { SignInRequestSchema } from "../../gen/usher/auth/v1/sessions_pb.ts";
import { PutRequestSchema } from "../../gen/usher/queue/v1/task_pb.ts";
import type { Bench } from "../run/bench.ts";
import { compare } from "../run/compare.ts";
import { type LoadReport, phases, rateOf, runLoad } from "../run/load.ts";
import { type Contender, inTurns, type Span } from "../run/rounds.ts";
import { medianOf, plainRow, type Row, ratioRow } from "../run/rows.ts";
import { createFifo, PAYLOAD_BYTES } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";
import { NOTHING_DURABLE } from "../systems/yardstick.ts";

const USERS = 500;
const PASSWORD = "correct horse battery 9";
/** What Usher hashes passwords with by default: 19 MiB, two passes. */
const COST = { memory: 19 * 1024, passes: 2, parallelism: 1 };
const SIGN_IN = "/usher.auth.v1.AuthService/SignIn";
const PUT = "/usher.queue.v1.QueueService/Put";
const UNAUTHENTICATED = 16;
const TUBE = "bench";
/** Sign-ins under way in a storm, more than there are threads for, and puts beside it. */
const STORM = 16;
const PUTS = 8;
const SIGN_IN_DURABLE = "session, event and count of tries fsynced";

/** Sign-ins by password: how many, whether they slow the queue, what they give away. */
export async function signIn(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const usher = await Usher.start(bench, stack);
  await importUsers(usher);
  await createFifo(usher, TUBE);
  return [
    ...(await rate(bench, usher)),
    ...(await storm(bench, usher)),
    ...(await guesses(bench, usher)),
  ];
}

async function rate(bench: Bench, usher: Usher): Promise<Row[]> {
  const system = "argon2id alone, all cores";
  return await compare(bench, {
    measure: "SignIn",
    unit: "calls/s",
    ours: {
      system: "Usher",
      durable: SIGN_IN_DURABLE,
      measure: async (span) => rateOf(await signIns(usher, span, knownUsers(), STORM)),
    },
    others: [
      {
        system,
        durable: NOTHING_DURABLE,
        async measure(span) {
          const load = { ...phases(span, []), ...COST, atOnce: availableParallelism() };
          return rateOf(await runLoad("argon2id", load));
        },
      },
    ],
  });
}

async function storm(bench: Bench, usher: Usher): Promise<Row[]> {
  const puts = async (span: Span): Promise<number> => {
    const payload = { content: { case: "data" as const, value: new Uint8Array(PAYLOAD_BYTES) } };
    const message = create(PutRequestSchema, { tube: TUBE, task: { payload } });
    const bodies = [toBase64(toBinary(PutRequestSchema, message))];
    const load = { ...phases(span, []), address: usher.grpcAddress, path: PUT, bodies };
    return (await runLoad("unary", { ...load, atOnce: PUTS })).latency?.p99 ?? Number.NaN;
  };
  const calm: Contender = {
    system: "Usher, nobody signs in",
    durable: USHER_DURABLE,
    measure: async (span) => ({ value: await puts(span) }),
  };
  const stormy: Contender = {
    system: `Usher, ${STORM} sign-ins at once`,
    durable: USHER_DURABLE,
    async measure(span) {
      // Longer at both ends than the puts.
      const seconds = span.seconds + span.warmUpSeconds + 0.5;
      const around = signIns(usher, { seconds, warmUpSeconds: 0 }, knownUsers(), STORM);
      const [value] = await Promise.all([puts(span), around]);
      return { value };
    },
  };
  const measure = `Put, ${PUTS} at once, p99`;
  const [during, idle] = [...(await inTurns(bench, measure, "ms", [stormy, calm])).values()];
  if (during === undefined || idle === undefined) return [];
  return [
    ratioRow(during, { name: idle.system, value: medianOf(idle) }, { most: 2 }),
    plainRow(idle),
  ];
}

/** A wrong password and an unknown user must take alike, or a caller can tell who has an account. */
async function guesses(bench: Bench, usher: Usher): Promise<Row[]> {
  let turn = 0;
  // So many wrong tries are allowed for an email that each round has emails of its own.
  const contender = (system: string, emailOf: (index: number) => string): Contender => ({
    system,
    durable: "the failed try fsynced",
    async measure(span) {
      const bodies = Array.from({ length: USERS / 10 }, () =>
        signInBody(emailOf(turn++), "wrong horse battery 9"),
      );
      const load = { ...phases(span, []), address: usher.grpcAddress, path: SIGN_IN };
      const status = UNAUTHENTICATED;
      const report = await runLoad("unary", { ...load, bodies, status, atOnce: 1 });
      return { value: report.latency?.p50 ?? Number.NaN };
    },
  });
  const contenders = [
    contender("Usher, unknown user", (index) => `unknown${index}@example.com`),
    contender("Usher, wrong password", (index) => emailOf(index % USERS)),
  ];
  const measure = "refused SignIn, median";
  const [unknown, wrong] = [...(await inTurns(bench, measure, "ms", contenders)).values()];
  if (unknown === undefined || wrong === undefined) return [];
  return [
    ratioRow(
      unknown,
      { name: wrong.system, value: medianOf(wrong) },
      { least: 1 / 1.2, most: 1.2 },
    ),
    plainRow(wrong),
  ];
}

function signIns(
  usher: Usher,
  span: Span,
  bodies: readonly string[],
  atOnce: number,
): Promise<LoadReport> {
  const load = { ...phases(span, [usher.pid]), address: usher.grpcAddress, path: SIGN_IN };
  return runLoad("unary", { ...load, bodies, atOnce });
}

/** One hash for all of them: what it costs to check is the same. */
async function importUsers(usher: Usher): Promise<void> {
  const nonce = randomBytes(16);
  const hash = argon2Sync("argon2id", { message: PASSWORD, nonce, tagLength: 32, ...COST });
  const { memory, passes, parallelism } = COST;
  const cost = `m=${memory},t=${passes},p=${parallelism}`;
  const passwordHash = `$argon2id$v=19$${cost}$${unpadded(nonce)}$${unpadded(hash)}`;
  const users = Array.from({ length: USERS }, (_, index) => ({
    email: emailOf(index),
    passwordHash,
  }));
  await usher.auth.importUsers({ users });
}

function knownUsers(): string[] {
  return Array.from({ length: USERS }, (_, index) => signInBody(emailOf(index), PASSWORD));
}

function emailOf(index: number): string {
  return `user${index}@example.com`;
}

function signInBody(email: string, password: string): string {
  const message = create(SignInRequestSchema, { email, password });
  return toBase64(toBinary(SignInRequestSchema, message));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function unpadded(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("=", "");
}
