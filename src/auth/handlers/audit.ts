import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AuditEventSchema,
  AuditEventType as WireType,
} from "../../../gen/usher/auth/v1/audit_pb.ts";
import { pageSize } from "../../base/request-fields.ts";
import type { AuditEvent, AuditEventType, AuditSteps } from "../repository.ts";
import { cutPage, readForPage } from "../rules/pages.ts";
import { optionalUserIdField, placeField, placeToken, timeField } from "./fields.ts";
import type { AuthHandlers } from "./handlers.ts";

const wireTypes: Readonly<Record<AuditEventType, WireType>> = {
  registered: WireType.REGISTERED,
  registration_completed: WireType.REGISTRATION_COMPLETED,
  registration_failed: WireType.REGISTRATION_FAILED,
  imported: WireType.IMPORTED,
  signed_in: WireType.SIGNED_IN,
  sign_in_failed: WireType.SIGN_IN_FAILED,
  signed_out: WireType.SIGNED_OUT,
  session_revoked: WireType.SESSION_REVOKED,
  profile_updated: WireType.PROFILE_UPDATED,
  password_changed: WireType.PASSWORD_CHANGED,
  password_change_failed: WireType.PASSWORD_CHANGE_FAILED,
  password_reset_requested: WireType.PASSWORD_RESET_REQUESTED,
  password_reset_completed: WireType.PASSWORD_RESET_COMPLETED,
  password_reset_failed: WireType.PASSWORD_RESET_FAILED,
  deactivated: WireType.DEACTIVATED,
  activated: WireType.ACTIVATED,
  deleted: WireType.DELETED,
  social_account_linked: WireType.SOCIAL_ACCOUNT_LINKED,
  social_account_link_failed: WireType.SOCIAL_ACCOUNT_LINK_FAILED,
  social_account_unlinked: WireType.SOCIAL_ACCOUNT_UNLINKED,
};

/** What happened to accounts. */
export function auditHandlers({
  repository,
}: {
  readonly repository: AuditSteps;
}): AuthHandlers<"listAuditEvents"> {
  return {
    async listAuditEvents(request) {
      const limit = pageSize("page_size", request.pageSize);
      const after = placeField("page_token", request.pageToken);
      const userId = optionalUserIdField("user_id", request.userId);
      const events = await repository.listEvents({
        limit: readForPage(limit),
        after: after && { time: after.time, id: String(after.number) },
        userId: userId === "" ? undefined : userId,
        startTime: timeField("start_time", request.startTime),
        endTime: timeField("end_time", request.endTime),
      });
      const { page, last } = cutPage(events, limit);
      const nextPageToken = last === undefined ? "" : placeToken(last.time, Number(last.id));
      return { events: page.map(toEvent), nextPageToken };
    },
  };
}

function toEvent({ time, type, ...event }: AuditEvent): MessageInitShape<typeof AuditEventSchema> {
  return { ...event, time: timestampFromMs(time), type: wireTypes[type] };
}
