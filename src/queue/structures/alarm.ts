/** Something that is due once at a time: a waiter's, a session's, a pause's. */
export interface Alarm {
  readonly due: number;
  readonly ring: () => void;
  /** -1: rung or cleared. */
  place: number;
}
