/** Every way in which a generated client reaches the service. */
export const ways = [
  "gRPC on the gRPC port",
  "gRPC on the HTTP port",
  "gRPC-Web",
  "Connect",
  "Connect JSON",
  "Connect over HTTP/1.1",
] as const;
export type Way = (typeof ways)[number];
