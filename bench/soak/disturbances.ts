import type { Mongod } from "../peers/mongod.ts";
import { number } from "../run/rows.ts";
import type { Usher } from "../systems/usher.ts";
import { between, Connection, chance, pause, pick, type World } from "./world.ts";

/** What can be ended, and how often it shall be. */
export interface Disturbed {
  readonly world: World;
  readonly ushers: readonly Usher[];
  /** What several instances share. */
  readonly mongod: Mongod | undefined;
  readonly say: (line: string) => void;
  /** Whether to go on after so many. */
  readonly more: (count: number) => boolean;
}

/** Ends servers, stops them for a while, and ends their database, as long as there is to be more. */
export async function disturb(disturbed: Disturbed): Promise<void> {
  const { world, ushers, mongod, say, more } = disturbed;
  const takeovers: number[] = [];
  while (world.working && more(world.counts.kills)) {
    await pause(ushers.length > 1 ? between(500, 3_000) : between(3_000, 12_000));
    if (!world.working) break;
    world.counts.kills++;
    if (mongod !== undefined && chance(0.15)) {
      await mongod.crash();
      await everyTubeAnswers(world);
      continue;
    }
    const usher = pick(ushers);
    const kind = pick(ushers.length > 1 ? severalKinds : oneKinds);
    const others = { ...world, addresses: ushers.filter((other) => other !== usher).map(address) };
    const beganAt = performance.now();
    if (kind === "SIGSTOP") {
      usher.signal("SIGSTOP");
      // Longer than its life, mostly: the others take over while it knows nothing.
      const stopped = pause(between(2_000, 12_000));
      await Promise.race([everyTubeAnswers(others), stopped]);
      await stopped;
      usher.signal("SIGCONT");
      continue;
    }
    await usher.stop(kind);
    if (ushers.length > 1) {
      await everyTubeAnswers(others);
      if (kind === "SIGKILL") takeovers.push(performance.now() - beganAt);
    }
    await usher.restart();
  }
  if (takeovers.length === 0) return;
  takeovers.sort((a, b) => a - b);
  const [least, median, most] = [0, 0.5, 1].map((share) =>
    number((takeovers[Math.floor(share * (takeovers.length - 1))] ?? 0) / 1_000),
  );
  say(
    `taken over after a SIGKILL, ${takeovers.length} times: ${median} s in the median, ${least} to ${most}`,
  );
}

const oneKinds = ["SIGKILL", "SIGKILL", "SIGTERM"] as const;
const severalKinds = ["SIGKILL", "SIGKILL", "SIGSTOP", "SIGSTOP", "SIGTERM"] as const;

function address({ grpcAddress }: Usher): string {
  return grpcAddress;
}

/** Resolves when whoever is left serves every tube. */
async function everyTubeAnswers(world: World): Promise<void> {
  while (world.working) {
    const connection = new Connection(world);
    try {
      await connection.queue.getStatistics({}, { timeoutMs: 5_000 });
      return;
    } catch {
      await pause(50);
    } finally {
      connection.die();
    }
  }
}
