import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** A service and what is implemented of it; the rest answers UNIMPLEMENTED. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
  readonly codecs: Codecs;
}

/** What is encoded and decoded faster than by protobuf-es, by the local names of the methods. */
export interface Codecs {
  readonly encoders?: Readonly<Record<string, Encoder>>;
  readonly decoders?: Readonly<Record<string, Decoder>>;
}

/**
 * Encodes an answer faster than protobuf-es does, to the same bytes; undefined where it cannot.
 */
export type Encoder = (answer: unknown) => Uint8Array | undefined;

/** Decodes a request, to the same message as protobuf-es; undefined where it is to do it. */
export type Decoder = (request: Buffer) => unknown;

/** A service with handlers of its own types, for where every service is like another. */
export function served<Service extends DescService>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
  codecs: Codecs = {},
): ServedService {
  return { service, implementation: implementation as ServedService["implementation"], codecs };
}
