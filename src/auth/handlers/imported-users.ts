import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ImportUserResultSchema,
  ImportedUser as WireImportedUser,
} from "../../../gen/usher/auth/v1/accounts_pb.ts";
import { invalid, UsherError } from "../../base/errors.ts";
import type { ImportedUser, ImportResult } from "../accounts/imports.ts";
import { parseImportedHash } from "../passwords/hashes.ts";
import { emailField, optionalUserIdField, textField } from "./fields.ts";
import { profileField } from "./profiles.ts";

/** In bytes. */
const LONGEST_HASH = 1_024;

/** Each user of an import, or what is wrong with it. */
export function importedUserFields(
  users: readonly WireImportedUser[],
): (ImportedUser | UsherError)[] {
  return users.map((user, nth) => {
    try {
      return importedUserField(`users[${nth}]`, user);
    } catch (error) {
      if (error instanceof UsherError) return error;
      throw error;
    }
  });
}

function importedUserField(field: string, user: WireImportedUser): ImportedUser {
  const userId = optionalUserIdField(`${field}.user_id`, user.userId);
  return {
    userId,
    email: emailField(`${field}.email`, user.email),
    profile: profileField(`${field}.profile`, user.profile),
    passwordHash: hashField(`${field}.password_hash`, user.passwordHash, userId),
  };
}

/** Empty where none was given. */
function hashField(field: string, text: string | undefined, userId: string): string {
  if (text === undefined) return "";
  if (text === "") throw invalid(field, "is empty; leave it out for a user without a password");
  const hash = parseImportedHash(textField(field, text, LONGEST_HASH), userId);
  if (hash === undefined) throw invalid(field, "is of no known form, or costs too much to check");
  return hash;
}

export function toImportResult(
  result: ImportResult,
): MessageInitShape<typeof ImportUserResultSchema> {
  if (result.error === undefined) return { outcome: { case: "userId", value: result.userId } };
  const { reason, message } = result.error;
  return { outcome: { case: "error", value: { reason, message } } };
}
