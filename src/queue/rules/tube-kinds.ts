import type { TubeKind } from "../repository.ts";

/** What a tube can do; the five kinds differ in nothing else. */
export interface Features {
  /** Tasks may ask for priority, ttl, ttr and delay. */
  readonly timed: boolean;
  /** The tube must have a capacity. */
  readonly limited: boolean;
  /** Tasks may name a group; a group has one leased task at a time. */
  readonly grouped: boolean;
}

export const features: Record<TubeKind, Features> = {
  FIFO: { timed: false, limited: false, grouped: false },
  FIFOTTL: { timed: true, limited: false, grouped: false },
  LIMFIFOTTL: { timed: true, limited: true, grouped: false },
  UTUBE: { timed: false, limited: false, grouped: true },
  UTUBETTL: { timed: true, limited: false, grouped: true },
};
