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
 * Whether the email of an account joins it to the user who has that email. It does not if the user
 * has another account at the provider: the mailbox may have been given to somebody else there. A
 * deactivated user shuts the email out in any case.
 */
export function joinsByEmail(
  {
    state,
    socialAccounts,
  }: Pick<User, "state"> & {
    readonly socialAccounts: readonly Pick<SocialAccount, "provider">[];
  },
  provider: string,
): boolean {
  if (state === "deactivated") return true;
  return socialAccounts.every((account) => account.provider !== provider);
}

/**
 * Whether a user's accounts at a provider may be taken away: "none" if there are none, and
 * "last_method" if the user could not sign in any more. Providers that are not configured let
 * nobody in, so they do not count.
 */
export function unlinking(
  {
    socialAccounts,
    hasPassword,
  }: Pick<User, "hasPassword"> & {
    readonly socialAccounts: readonly Pick<SocialAccount, "provider">[];
  },
  provider: string,
  configured: ReadonlySet<string>,
): "allowed" | "none" | "last_method" {
  const others = socialAccounts.filter((account) => account.provider !== provider);
  if (others.length === socialAccounts.length) return "none";
  const canSignIn = hasPassword || others.some((account) => configured.has(account.provider));
  return canSignIn ? "allowed" : "last_method";
}
