import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** A service and what is implemented of it; the rest answers UNIMPLEMENTED. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
}

/** A service with handlers of its own types, for where every service is like another. */
export function served<Service extends DescService>(
  service: Service,
  implementation: Partial<ServiceImpl<Service>>,
): ServedService {
  return { service, implementation: implementation as ServedService["implementation"] };
}
