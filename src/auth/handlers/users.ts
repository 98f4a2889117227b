import { UsherError } from "../../errors.ts";
import type { UserSteps } from "../repository.ts";
import { userKeyField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";
import { toUser } from "./messages.ts";

/** Looking users up and steering them, for whoever administers them. */
export function userHandlers({
  repository,
}: {
  readonly repository: UserSteps;
}): AuthHandlers<"getUser"> {
  return {
    async getUser({ key }) {
      const user = await repository.findUser(userKeyField(key));
      if (user === undefined) throw new UsherError("USER_NOT_FOUND");
      return { user: toUser(user) };
    },
  };
}
