import type {
  ActivationCode,
  ActivationOutcome,
  ActivationRefusal,
  Registration,
  RegistrationOutcome,
  RegistrationSteps,
} from "../../../auth/repository.ts";
import { activationRefusal, registeredId } from "../../../auth/rules/registration.ts";
import { isSameHash } from "../../same-hash.ts";
import { recordEvent } from "./audit.ts";
import { keepMail } from "./mail.ts";
import { bytes, stateOf, text } from "./rows.ts";
import type { AuthStatements } from "./statements.ts";
import type { AuthTransactions } from "./transactions.ts";
import { userOf } from "./user-rows.ts";

export function registrationSteps({ sql, step, add }: AuthTransactions): RegistrationSteps {
  return {
    registerUser: (registration) => add(() => registerUser(sql, registration)),

    checkActivationCode: (code) =>
      step(() => {
        const found = findByCode(sql, code);
        return typeof found === "string" ? found : "good";
      }),

    completeRegistration: ({ passwordHash, ...code }) =>
      step((): ActivationOutcome => {
        const found = findByCode(sql, code);
        if (typeof found === "string") return { outcome: found };
        const { userId } = found;
        const { now } = code;
        sql.activateUser.run({ userId, now });
        sql.voidCode.run({ userId });
        sql.setPassword.run({ userId, passwordHash, now });
        recordEvent(sql, { type: "registration_completed", userId, time: now });
        return { outcome: "activated", user: userOf(sql, userId) };
      }),
  };
}

function registerUser(sql: AuthStatements, registration: Registration): RegistrationOutcome {
  const { email, codeHash, codeExpireTime, mail, now } = registration;
  const found = sql.userByEmail.get({ emailKey: email.key });
  const userId = registeredId(
    found && { id: text(found, "id"), state: stateOf(found) },
    registration,
  );
  if (userId === undefined) return { outcome: "user_exists" };
  if (found === undefined) {
    if (sql.userById.get({ userId }) !== undefined) return { outcome: "user_exists" };
    const values = { userId, email: email.address, emailKey: email.key, state: "pending", now };
    sql.insertUser.run(values);
  }
  sql.replaceCode.run({ userId, codeHash, codeExpireTime });
  recordEvent(sql, { type: "registered", userId, time: now });
  keepMail(sql, mail);
  return { outcome: "registered", user: userOf(sql, userId) };
}

/** The pending user whose code it is, or why it is not good. */
function findByCode(
  sql: AuthStatements,
  { emailKey, codeHash, now }: ActivationCode,
): { readonly userId: string } | ActivationRefusal {
  const user = sql.userByEmail.get({ emailKey });
  if (user === undefined) return "wrong_code";
  const userId = text(user, "id");
  const isGood = (): boolean => {
    const row = sql.codeOfUser.get({ userId, now });
    return row !== undefined && isSameHash(bytes(row, "code_hash"), codeHash);
  };
  return activationRefusal({ state: stateOf(user) }, isGood) ?? { userId };
}
