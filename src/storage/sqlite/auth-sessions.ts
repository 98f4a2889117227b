import type { SessionCheck, SessionCheckOutcome, SessionSteps } from "../../auth/repository.ts";
import { required, text, toSession } from "./auth-rows.ts";
import { endSession } from "./auth-session-ends.ts";
import type { AuthStatements } from "./auth-statements.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { userOf } from "./auth-users.ts";

/** A check within this time of the last one is not worth a write. */
const SEEN_STEP_MS = 60_000;

export function sessionSteps({ sql, step }: AuthTransactions): SessionSteps {
  return {
    checkSession: (check) => step(() => checkSession(sql, check)),

    endSession: ({ tokenHash, now }) =>
      step(() => {
        const row = sql.sessionByToken.get({ tokenHash, now });
        if (row === undefined || row["end_time"] !== null) return false;
        endSession(sql, row, "signed_out", now);
        return true;
      }),
  };
}

function checkSession(sql: AuthStatements, check: SessionCheck): SessionCheckOutcome {
  const { tokenHash, now, renewWithinMs, renewal } = check;
  const row = sql.sessionByToken.get({ tokenHash, now });
  if (row === undefined) return { outcome: "unknown" };
  const user = userOf(sql, text(row, "user_id"));
  if (user.state !== "active") return { outcome: "user_not_active" };
  if (row["end_time"] !== null) return { outcome: "unknown" };

  const id = text(row, "id");
  const session = toSession(row);
  const byOldToken = row["by_old_token"] === 1;
  if (!byOldToken && session.expireTime - now <= renewWithinMs) {
    const { salt, tokenHash: newTokenHash, expireTime, oldTokenExpireTime } = renewal;
    const values = { id, salt, newTokenHash, expireTime, oldTokenExpireTime, now };
    const renewed = toSession(required(sql.renewSession.get(values)));
    return { outcome: "live", user, session: renewed, successorSalt: salt };
  }
  if (now - session.lastSeenTime >= SEEN_STEP_MS) sql.seeSession.run({ id, now });
  const successorSalt = byOldToken ? (row["successor_salt"] as Uint8Array) : undefined;
  return { outcome: "live", user, session: { ...session, lastSeenTime: now }, successorSalt };
}
