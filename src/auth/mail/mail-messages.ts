import { randomUUIDv7 } from "node:crypto";
import type { NewMail } from "../repository.ts";
import type { Sealer } from "../sealing/sealer.ts";

/** The content of a mail. The `kind` says which words to put around it. */
export type Mail =
  | {
      readonly kind: "registration";
      readonly to: string;
      /** Activates the account. */
      readonly code: string;
      /** Until when the code is good: RFC 3339. */
      readonly expireTime: string;
    }
  | {
      readonly kind: "password_reset";
      readonly to: string;
      readonly resetToken: string;
      readonly expireTime: string;
    }
  | { readonly kind: "password_changed"; readonly to: string };

/** Writes mail for a step, which keeps it in the transaction of the change that it is about. */
export interface MailWriter {
  /** Undefined if Usher sends no mail. `expireTime`: when the mail has lost its use. */
  write(mail: Mail, expireTime?: number): NewMail | undefined;
  /** To be called when a step has kept mail. */
  sent(): void;
  /** Whether codes are told to callers, too. */
  readonly returnCodes: boolean;
}

/** For a service without a queue for mail. Callers send it themselves. */
export const noMail: MailWriter = { write: () => undefined, sent() {}, returnCodes: true };

/** `sent` is called when there is mail to deliver. */
export function createMailWriter(
  sealer: Sealer,
  returnCodes: boolean,
  sent: () => void,
): MailWriter {
  return {
    write(mail, expireTime) {
      const id = randomUUIDv7();
      return { id, sealed: sealer.seal(JSON.stringify(mail), mailContext(id)), expireTime };
    },
    sent,
    returnCodes,
  };
}

/** The mail as it was written; undefined if its key is gone. */
export function openMail(sealer: Sealer, { id, sealed }: NewMail): Mail | undefined {
  const text = sealer.open(sealed, mailContext(id));
  return text === undefined ? undefined : (JSON.parse(text) as Mail);
}

export function mailContext(id: string): string[] {
  return ["mail", id];
}
