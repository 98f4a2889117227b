/** Hashes of passwords and nothing else, so many at once. */
import { argon2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  readonly atOnce: number;
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

const given = options<Options>();
const { memory, passes, parallelism } = given;
const measured = new Measured();
const derive = promisify(argon2);
const nonce = randomBytes(16);

async function hash(): Promise<void> {
  while (measured.running) {
    const cost = { memory, passes, parallelism, tagLength: 32 };
    await derive("argon2id", { message: "correct horse battery", nonce, ...cost });
    measured.count(1);
  }
}

const loops = Array.from({ length: given.atOnce }, () => hash());
await Promise.all([measured.run(given), ...loops]);
measured.report();
