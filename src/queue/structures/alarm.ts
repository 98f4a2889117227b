/** A time at which something happens once: the end of a wait, of a session, of a pause. */
export interface Alarm {
  readonly due: number;
  readonly ring: () => void;
  /** -1: rung or cleared. */
  place: number;
}
