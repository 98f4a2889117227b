import type { Email, SocialAccount, ToldAccount, User } from "../repository.ts";

/**
 * The email that a provider vouches for: it joins the account to the user who has it, and becomes
 * that of a user who has none.
 */
export function verifiedEmail({
  email,
  emailVerified,
}: Pick<ToldAccount, "email" | "emailVerified">): Email | undefined {
  return emailVerified ? email : undefined;
}

/**
 * Whether a user's accounts at a provider may be taken away: "none" if there are none, and
 * "last_method" if the user could not sign in any more.
 */
export function unlinking(
  {
    socialAccounts,
    hasPassword,
  }: Pick<User, "hasPassword"> & {
    readonly socialAccounts: readonly Pick<SocialAccount, "provider">[];
  },
  provider: string,
): "allowed" | "none" | "last_method" {
  const left = socialAccounts.filter((account) => account.provider !== provider).length;
  if (left === socialAccounts.length) return "none";
  return left === 0 && !hasPassword ? "last_method" : "allowed";
}
