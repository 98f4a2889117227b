import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { SessionSchema } from "../../../gen/usher/auth/v1/sessions_pb.ts";
import {
  type ProfileSchema,
  type UserSchema,
  UserState as WireUserState,
} from "../../../gen/usher/auth/v1/user_pb.ts";
import type { Profile, Session, User, UserState } from "../repository.ts";

export const wireStates: Record<UserState, WireUserState> = {
  pending: WireUserState.PENDING,
  active: WireUserState.ACTIVE,
  deactivated: WireUserState.DEACTIVATED,
};

/** The states that the wire may ask for. */
export const userStates: ReadonlyMap<WireUserState, UserState> = new Map(
  Object.entries(wireStates).map(([state, wire]) => [wire, state as UserState]),
);

export function toUser(user: User): MessageInitShape<typeof UserSchema> {
  const profile = toProfile(user.profile);
  return {
    id: user.id,
    email: user.email,
    active: user.state === "active",
    state: wireStates[user.state],
    socialAccounts: user.socialAccounts.map(({ linkTime, ...account }) => ({
      ...account,
      linkTime: timestampFromMs(linkTime),
    })),
    hasPassword: user.hasPassword,
    createTime: timestampFromMs(user.createTime),
    updateTime: timestampFromMs(user.updateTime),
    ...(profile !== undefined && { profile }),
  };
}

/** Undefined while nothing is known of the person. */
function toProfile(profile: Profile): MessageInitShape<typeof ProfileSchema> | undefined {
  return isKnown(profile) ? profile : undefined;
}

/** Whether anything is known of the person. */
export function isKnown({ firstName, lastName, picture, locale, attributes }: Profile): boolean {
  if (firstName !== "" || lastName !== "" || picture !== "" || locale !== "") return true;
  return Object.keys(attributes).length > 0;
}

/** `token` is empty where the one in hand stays the one to use. */
export function toSession(session: Session, token: string): MessageInitShape<typeof SessionSchema> {
  const { createTime, lastSeenTime, expireTime, ...rest } = session;
  return {
    ...rest,
    token,
    createTime: timestampFromMs(createTime),
    lastSeenTime: timestampFromMs(lastSeenTime),
    expireTime: timestampFromMs(expireTime),
  };
}
