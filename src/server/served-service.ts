import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** A service and what is implemented of it; the rest answers UNIMPLEMENTED. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
  readonly encoders: Encoders;
}

/**
 * Encodes an answer faster than protobuf-es does, to the same bytes; undefined where it cannot.
 */
export type Encoder = (answer: unknown) => Uint8Array | undefined;

/** Encoders of a service's hot answers, by the local names of its methods. */
export type Encoders = Readonly<Record<string, Encoder>>;

/** A service with handlers of its own types, for where every service is like another. */
export function served<Service extends DescService>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
  encoders: Encoders = {},
): ServedService {
  return { service, implementation: implementation as ServedService["implementation"], encoders };
}
