import { signingKeyContext } from "../auth/access-tokens/signing-keys.ts";
import { mailContext } from "../auth/mail/mail-messages.ts";
import type { KeyStore } from "../auth/repository.ts";
import { createSealer } from "../auth/sealing/sealer.ts";
import { credentialsContext } from "../auth/social/provider-credentials.ts";
import { stateContext } from "../auth/social/sign-in-secrets.ts";
import type { AuthKind, AuthRecords } from "../storage/moved-records.ts";

/** Seals again, with the keys of the target, what the keys of the source have sealed. */
export class Resealing {
  readonly #reseal: (sealed: string, context: readonly string[]) => string | undefined;
  /** How many secrets did not open. Their key was gone in the source already. */
  lost = 0;

  constructor(from: KeyStore, to: KeyStore) {
    const source = createSealer(from);
    const target = createSealer(to);
    this.#reseal = (sealed, context) => {
      const text = source.open(sealed, context);
      return text === undefined ? undefined : target.seal(text, context);
    };
  }

  /** The same records: those that keep sealed texts, with theirs sealed again. */
  records<K extends AuthKind>(kind: K, records: readonly AuthRecords[K][]) {
    return records.map((record) => this.#kinds[kind](record));
  }

  readonly #kinds: { readonly [K in AuthKind]: (record: AuthRecords[K]) => AuthRecords[K] } = {
    users: (user) => ({
      ...user,
      accounts: user.accounts.map((account) => ({
        ...account,
        sealedCredentials: this.#text(account.sealedCredentials, credentialsContext(account)),
      })),
    }),
    mail: (mail) => ({ ...mail, sealed: this.#text(mail.sealed, mailContext(mail.id)) }),
    signingKeys: (key) => ({
      ...key,
      sealedPrivateKey: this.#text(key.sealedPrivateKey, signingKeyContext(key.id)),
    }),
    states: (state) => {
      const context = stateContext(state.stateHash);
      return {
        ...state,
        codeVerifier: this.#text(state.codeVerifier, context),
        nonce: this.#text(state.nonce, context),
      };
    },
    // These keep hashes and plain texts alone.
    sessions: (session) => session,
    attempts: (attempt) => attempt,
    events: (event) => event,
    revocations: (revocation) => revocation,
  };

  /** A text that does not open goes as it is, since it opens on neither side. */
  #text(sealed: string, context: readonly string[]): string {
    const again = this.#reseal(sealed, context);
    if (again === undefined) this.lost++;
    return again ?? sealed;
  }
}
