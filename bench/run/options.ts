import { parseArgs } from "node:util";
import type { Pace } from "./bench.ts";

export interface Options {
  readonly pace: Pace;
  /** Names of measures; none: all of them. */
  readonly only: readonly string[];
  readonly json: string | undefined;
  readonly profile: string | undefined;
  readonly list: boolean;
  /** A commit to compare with in place of other systems. */
  readonly against: string | undefined;
}

export const USAGE = `npm run bench -- [flags]

  --only NAME       measures this alone; may be given more than once
  --quick           shorter rounds and less data: under three minutes
  --json FILE       writes the rows to a file
  --rounds N        rounds that count of each system (default 5, quick 2)
  --seconds S       of each round (default 3, quick 0.6)
  --profile FOLDER  makes a CPU profile of every Usher and prints what took the most time
  --against COMMIT  compares this tree with a commit, in turns, and with nothing else
  --list            prints the names of the measures
`;

const FULL = { rounds: 5, seconds: 3, warmUpSeconds: 1 };
const QUICK = { rounds: 2, seconds: 0.6, warmUpSeconds: 0.3 };

/** Throws TypeError for flags that are not there, RangeError for numbers that cannot be. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      profile: { type: "string" },
      list: { type: "boolean", default: false },
      against: { type: "string" },
    },
  });
  const { quick } = values;
  const usual = quick ? QUICK : FULL;
  return {
    pace: {
      quick,
      rounds: Math.ceil(positive("rounds", values.rounds, usual.rounds)),
      seconds: positive("seconds", values.seconds, usual.seconds),
      warmUpSeconds: usual.warmUpSeconds,
    },
    only: values.only,
    json: values.json,
    profile: values.profile,
    list: values.list,
    against: values.against,
  };
}

function positive(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`--${name}: must be a number above 0`);
  return value;
}
