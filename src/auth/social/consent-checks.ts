import type { Log } from "../../logging/log.ts";
import type { Credentials, Identity, Provider } from "../providers/provider.ts";
import type { DueAccount, User } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { SessionRoom } from "../sessions/sessions.ts";
import { openCredentials, sealCredentials } from "./provider-credentials.ts";
import { logLeftOut } from "./told-profiles.ts";

/** How long after a provider was asked it may be asked again, if it did not confirm. */
export const ASK_AGAIN_AFTER_MS = 60_000;

/** A check is given up before the next one may ask, so that no refresh token is used twice. */
const LONGEST_CHECK_MS = ASK_AGAIN_AFTER_MS - 5_000;

/** The parts that a check with a provider works on. */
export interface SocialCheckRoom extends SessionRoom {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sealer: Sealer;
  readonly log: Log;
}

/** The user as the provider tells now; undefined where nothing is new. */
export type SocialCheckResult =
  | { readonly outcome: "stands"; readonly user: User | undefined }
  | { readonly outcome: "withdrawn" };

/**
 * Asks the provider about a user who signed in through it before: whether consent still stands, and
 * what the profile is now. A provider that does not answer as it should changes nothing. The check
 * goes on to its end even if the caller has gone, since the provider may have replaced the
 * credentials.
 */
export async function askProviderAgain(
  room: SocialCheckRoom,
  account: DueAccount,
): Promise<SocialCheckResult> {
  const { repository, providers, sealer, clock, log } = room;
  const provider = providers.get(account.provider);
  const credentials = openCredentials(sealer, account);
  if (!provider?.configured || credentials === undefined) return stands;
  const answer = await provider.askAgain(credentials, AbortSignal.timeout(LONGEST_CHECK_MS));

  const keep = async (
    fresh: Credentials,
    confirmed: boolean,
    told: Identity | undefined,
  ): Promise<SocialCheckResult> => {
    const sealedCredentials = sealCredentials(sealer, account, fresh);
    const now = clock.now();
    const check = { account, sealedCredentials, confirmed, told, now };
    const user = await repository.keepSocialCheck(check);
    if (user && told) logLeftOut(log, provider.name, told, user.profile);
    return { outcome: "stands", user };
  };

  switch (answer.outcome) {
    case "confirmed": {
      const { identity } = answer;
      if (identity !== undefined && identity.socialId !== account.socialId) {
        log.warn(
          { provider: provider.name },
          "the provider told of another user than it was asked",
        );
        return keep(answer.credentials, false, undefined);
      }
      return keep(answer.credentials, true, identity);
    }
    case "unasked":
      return keep(credentials, true, undefined);
    case "failed":
      return answer.credentials === undefined ? stands : keep(answer.credentials, false, undefined);
    case "withdrawn": {
      const ended = await repository.withdrawConsent({ ...account, now: clock.now() });
      return ended ? { outcome: "withdrawn" } : stands;
    }
  }
}

const stands: SocialCheckResult = { outcome: "stands", user: undefined };
