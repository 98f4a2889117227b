/**
 * The states of a task. NONE: its put is not durable yet, and nobody sees it. DONE: it is gone, or
 * it goes as soon as that is durable.
 */
export const state = { NONE: 0, READY: 1, DELAYED: 2, LEASED: 3, BURIED: 4, DONE: 5 } as const;
export type StateName = keyof typeof state;
export type State = (typeof state)[StateName];
