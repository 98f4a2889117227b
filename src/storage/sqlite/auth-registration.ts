import type {
  Registration,
  RegistrationOutcome,
  RegistrationSteps,
} from "../../auth/repository.ts";
import { recordEvent } from "./auth-audit.ts";
import { text } from "./auth-rows.ts";
import type { AuthStatements } from "./auth-statements.ts";
import type { AuthTransactions } from "./auth-transactions.ts";
import { userOf } from "./auth-users.ts";

export function registrationSteps({ sql, step }: AuthTransactions): RegistrationSteps {
  return {
    registerUser: (registration) => step(() => registerUser(sql, registration)),
  };
}

function registerUser(sql: AuthStatements, registration: Registration): RegistrationOutcome {
  const { email, codeHash, codeExpireTime, now } = registration;
  const found = sql.userByEmail.get({ emailKey: email.key });
  const userId =
    registration.userId ?? (found === undefined ? registration.newUserId : text(found, "id"));
  if (found === undefined) {
    if (sql.userById.get({ userId }) !== undefined) return { outcome: "user_exists" };
    const values = { userId, email: email.address, emailKey: email.key, state: "pending", now };
    sql.insertUser.run(values);
  } else if (found["state"] !== "pending" || text(found, "id") !== userId) {
    return { outcome: "user_exists" };
  }
  sql.replaceCode.run({ userId, codeHash, codeExpireTime });
  recordEvent(sql, { type: "registered", userId, time: now });
  return { outcome: "registered", user: userOf(sql, userId) };
}
