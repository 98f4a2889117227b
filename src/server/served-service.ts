import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** A service and what is implemented of it; the rest answers UNIMPLEMENTED. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
  readonly codecs: Codecs;
}

/** Encoders and decoders that are faster than protobuf-es, by the local names of methods. */
export interface Codecs {
  readonly encoders?: Readonly<Record<string, Encoder>>;
  readonly decoders?: Readonly<Record<string, Decoder>>;
}

/** Encodes an answer to the same bytes as protobuf-es. Undefined: protobuf-es shall do it. */
export type Encoder = (answer: unknown) => Uint8Array | undefined;

/** Decodes a request to the same message as protobuf-es. Undefined: protobuf-es shall do it. */
export type Decoder = (request: Buffer) => unknown;

/** A service without the types of its own messages, so that a list can hold several. */
export function served<Service extends DescService>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
  codecs: Codecs = {},
): ServedService {
  return { service, implementation: implementation as ServedService["implementation"], codecs };
}
