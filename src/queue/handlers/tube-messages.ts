import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, type FieldMask, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type RetryBackoff as RetryBackoffMessage,
  TubeKind as TubeKindMessage,
  type Tube as TubeMessage,
  type TubeSchema,
  type TubeStatisticsSchema,
} from "../../../gen/usher/queue/v1/tube_pb.ts";
import { invalid } from "../../base/errors.ts";
import { durationMs, positiveDurationMs } from "../../base/request-fields.ts";
import type { RetryBackoff, TubeKind, TubeSettings } from "../repository.ts";
import {
  defaultSettings,
  type NewTube,
  type TubeStatistics,
  type TubeView,
} from "../rules/tube-operations.ts";
import { tubeName } from "./request-fields.ts";

const LONGEST_BACKOFF_MS = 3_650 * 24 * 3_600 * 1_000;
const DEFAULT_MULTIPLIER = 2;

const kinds: Record<TubeKind, TubeKindMessage> = {
  FIFO: TubeKindMessage.FIFO,
  FIFOTTL: TubeKindMessage.FIFOTTL,
  LIMFIFOTTL: TubeKindMessage.LIMFIFOTTL,
  UTUBE: TubeKindMessage.UTUBE,
  UTUBETTL: TubeKindMessage.UTUBETTL,
};

/**
 * The settings that an operator may name in a mask. Each knows how to read itself from a tube
 * message (undefined: not set) and which setting it becomes.
 */
const settings = {
  capacity: {
    key: "capacity",
    read: ({ capacity }: TubeMessage) =>
      capacity === 0n ? undefined : wholeNumber("tube.capacity", capacity),
  },
  default_priority: {
    key: "defaultPriority",
    read: ({ defaultPriority }: TubeMessage) => defaultPriority,
  },
  default_ttl: {
    key: "defaultTtlMs",
    read: ({ defaultTtl }: TubeMessage) => positiveDurationMs("tube.default_ttl", defaultTtl),
  },
  default_ttr: {
    key: "defaultTtrMs",
    read: ({ defaultTtr }: TubeMessage) => positiveDurationMs("tube.default_ttr", defaultTtr),
  },
  default_delay: {
    key: "defaultDelayMs",
    read: ({ defaultDelay }: TubeMessage) => durationMs("tube.default_delay", defaultDelay),
  },
  max_attempts: {
    key: "maxAttempts",
    read: ({ maxAttempts }: TubeMessage) => (maxAttempts === 0 ? undefined : maxAttempts),
  },
  retry_backoff: {
    key: "retryBackoff",
    read: ({ retryBackoff }: TubeMessage) => retryBackoff && backoffOf(retryBackoff),
  },
  dedup_window: {
    key: "dedupWindowMs",
    read: ({ dedupWindow }: TubeMessage) => durationMs("tube.dedup_window", dedupWindow),
  },
} as const satisfies Record<
  string,
  { key: keyof TubeSettings; read: (tube: TubeMessage) => TubeSettings[keyof TubeSettings] }
>;

type SettingName = keyof typeof settings;

export function newTube(tube: TubeMessage | undefined): NewTube {
  if (tube === undefined) throw invalid("tube", "is required");
  const name = tubeName("tube.name", tube.name);
  return {
    name,
    kind: kindOf("tube.kind", tube.kind),
    temporary: tube.temporary,
    settings: settingsOf(tube, undefined),
  };
}

/**
 * The settings to change: those that the mask names. An empty mask stands for those that are set.
 */
export function changedSettings(
  tube: TubeMessage,
  mask: FieldMask | undefined,
): Partial<TubeSettings> {
  return settingsOf(tube, mask?.paths.length ? mask.paths.map(settingName) : undefined);
}

function settingsOf(
  tube: TubeMessage,
  named: readonly SettingName[] | undefined,
): Partial<TubeSettings> {
  const given: Record<string, unknown> = {};
  for (const name of named ?? (Object.keys(settings) as SettingName[])) {
    const { key, read } = settings[name];
    const value = read(tube);
    if (value !== undefined) given[key] = value;
    else if (named !== undefined) given[key] = defaultSettings[key];
  }
  return given as Partial<TubeSettings>;
}

function settingName(path: string): SettingName {
  // A mask may come in either spelling.
  const snake = path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (Object.hasOwn(settings, snake)) return snake as SettingName;
  throw invalid("update_mask", `${JSON.stringify(path)} is not a setting that can be changed`);
}

export function kindOf(field: string, kind: TubeKindMessage): TubeKind {
  if (kind === TubeKindMessage.UNSPECIFIED) throw invalid(field, "is required");
  for (const [name, message] of Object.entries(kinds)) {
    if (message === kind) return name as TubeKind;
  }
  throw invalid(field, "is not a kind of tube");
}

function backoffOf({ initial, max, multiplier }: RetryBackoffMessage): RetryBackoff {
  const initialMs = positiveDurationMs("tube.retry_backoff.initial", initial);
  if (initialMs === undefined) throw invalid("tube.retry_backoff.initial", "is required");
  const maxMs = positiveDurationMs("tube.retry_backoff.max", max) ?? LONGEST_BACKOFF_MS;
  if (maxMs < initialMs) {
    throw invalid("tube.retry_backoff.max", "must not be less than initial");
  }
  const factor = multiplier === 0 ? DEFAULT_MULTIPLIER : multiplier;
  if (!(factor >= 1 && factor <= 1_000)) {
    throw invalid("tube.retry_backoff.multiplier", "must be 1 to 1000");
  }
  return { initialMs, maxMs, multiplier: factor };
}

function wholeNumber(field: string, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(field, "is too large");
  return Number(value);
}

export function tubeMessage(tube: TubeView): MessageInitShape<typeof TubeSchema> {
  const { settings: has, pausedUntil } = tube;
  return {
    name: tube.name,
    kind: kinds[tube.kind],
    temporary: tube.temporary,
    capacity: BigInt(has.capacity),
    ...(has.defaultPriority !== 0 && { defaultPriority: has.defaultPriority }),
    ...(Number.isFinite(has.defaultTtlMs) && { defaultTtl: durationFromMs(has.defaultTtlMs) }),
    ...(Number.isFinite(has.defaultTtrMs) && { defaultTtr: durationFromMs(has.defaultTtrMs) }),
    ...(has.defaultDelayMs !== 0 && { defaultDelay: durationFromMs(has.defaultDelayMs) }),
    maxAttempts: has.maxAttempts,
    ...(has.retryBackoff && {
      retryBackoff: {
        initial: durationFromMs(has.retryBackoff.initialMs),
        max: durationFromMs(has.retryBackoff.maxMs),
        multiplier: has.retryBackoff.multiplier,
      },
    }),
    ...(has.dedupWindowMs !== 0 && { dedupWindow: durationFromMs(has.dedupWindowMs) }),
    paused: pausedUntil !== 0,
    ...(pausedUntil !== 0 &&
      Number.isFinite(pausedUntil) && { pausedUntil: timestampFromMs(pausedUntil) }),
    createTime: timestampFromMs(tube.createdAt),
  };
}

export function statisticsMessage(
  of: TubeStatistics,
): MessageInitShape<typeof TubeStatisticsSchema> {
  return {
    tube: of.tube,
    tasks: {
      ready: BigInt(of.ready),
      leased: BigInt(of.leased),
      buried: BigInt(of.buried),
      delayed: BigInt(of.delayed),
      total: BigInt(of.total),
    },
    calls: inBigInts(of.calls),
    totals: inBigInts(of.totals),
    done: BigInt(of.done),
    expired: BigInt(of.expired),
    ...(of.oldestReadyAgeMs !== undefined && {
      oldestReadyAge: durationFromMs(of.oldestReadyAgeMs),
    }),
    waitingTakers: BigInt(of.waitingTakers),
    waitingPuts: BigInt(of.waitingPuts),
  };
}

function inBigInts<Key extends string>(counts: Readonly<Record<Key, number>>): Record<Key, bigint> {
  const all = Object.entries<number>(counts).map(([name, count]) => [name, BigInt(count)]);
  return Object.fromEntries(all) as Record<Key, bigint>;
}
