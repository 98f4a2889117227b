/** NONE: its put is not durable yet, nobody sees it. DONE: gone, or going once that is durable. */
export const state = { NONE: 0, READY: 1, DELAYED: 2, LEASED: 3, BURIED: 4, DONE: 5 } as const;
export type StateName = keyof typeof state;
export type State = (typeof state)[StateName];
