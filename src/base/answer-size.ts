/**
 * An answer stops growing at this many bytes: gRPC clients refuse more than 4 MiB by default. The
 * rest is for what is around its entries.
 */
export const LARGEST_ANSWER_BYTES = 3.75 * 2 ** 20;
