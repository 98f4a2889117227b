/** How many rows that are over go with each insert, so that none pile up and no call is slow. */
export const SWEEP = 8;
