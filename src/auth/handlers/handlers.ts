import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/usher/auth/v1/auth_pb.ts";

type Implementation = ServiceImpl<typeof AuthService>;

/** The handlers of a topic's calls. They throw `UsherError`. */
export type AuthHandlers<Call extends keyof Implementation> = Pick<Implementation, Call>;
