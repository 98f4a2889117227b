import type {
  ActivationCode,
  ActivationRefusal,
  Registration,
  RegistrationOutcome,
  RegistrationSteps,
} from "../../../auth/repository.ts";
import { activationRefusal, registeredId } from "../../../auth/rules/registration.ts";
import { isGood, timedHash, toUser } from "./documents.ts";
import { keepMail } from "./mail.ts";
import type { UserDocument } from "./schema.ts";
import type { AuthReader, AuthTransaction, AuthTransactions } from "./transactions.ts";
import { activated, findUser, insertUsers, newUser, saveUser } from "./user-documents.ts";

export function registrationSteps({ step, alone }: AuthTransactions): RegistrationSteps {
  return {
    registerUser: (registration) => step((transaction) => registerUser(transaction, registration)),

    checkActivationCode: (code) =>
      alone(async (reader) => {
        const found = await findByCode(reader, code);
        return typeof found === "string" ? found : "good";
      }),

    completeRegistration: ({ passwordHash, ...code }) =>
      step(async (transaction) => {
        const found = await findByCode(transaction, code);
        if (typeof found === "string") return { outcome: found };
        const { now } = code;
        const saved = await saveUser(transaction, { ...activated(found, now), passwordHash });
        transaction.events.push({ type: "registration_completed", userId: found._id, time: now });
        return { outcome: "activated", user: toUser(saved) };
      }),
  };
}

async function registerUser(
  transaction: AuthTransaction,
  registration: Registration,
): Promise<RegistrationOutcome> {
  const { email, codeHash, codeExpireTime, mail, now } = registration;
  const found = await findUser(transaction, { emailKey: email.key });
  const userId = registeredId(found && { id: found._id, state: found.state }, registration);
  if (userId === undefined) return { outcome: "user_exists" };
  const activationCode = timedHash(codeHash, codeExpireTime);
  let user: UserDocument;
  if (found === undefined) {
    if ((await findUser(transaction, { userId })) !== undefined) return { outcome: "user_exists" };
    user = { ...newUser({ userId, email, state: "pending", now }), activationCode };
    await insertUsers(transaction, [user]);
  } else {
    user = await saveUser(transaction, { ...found, activationCode });
  }
  transaction.events.push({ type: "registered", userId, time: now });
  keepMail(transaction, mail);
  return { outcome: "registered", user: toUser(user) };
}

/** The pending user whose code it is, or why it is not good. */
async function findByCode(
  reader: AuthReader,
  { emailKey, codeHash, now }: ActivationCode,
): Promise<UserDocument | ActivationRefusal> {
  const user = await findUser(reader, { emailKey });
  if (user === undefined) return "wrong_code";
  return activationRefusal(user, () => isGood(user.activationCode, codeHash, now)) ?? user;
}
