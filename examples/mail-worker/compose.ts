/** What Usher puts into `auth.mail_tube`; docs/auth.md has it field by field. */
export type Mail =
  | { kind: "registration"; to: string; code: string; expireTime: string }
  | { kind: "password_reset"; to: string; resetToken: string; expireTime: string }
  | { kind: "password_changed"; to: string };

export interface Letter {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Puts words around a mail. The links lead to pages of the web site, which call
 * CompleteRegistration and CompletePasswordReset with what they find in the fragment: unlike a
 * query, it appears in no log on the way. Undefined for a kind that newer servers may add.
 */
export function compose(mail: Mail, site: string): Letter | undefined {
  const { to } = mail;
  switch (mail.kind) {
    case "registration": {
      const link = linkTo(site, "activate", { email: to, code: mail.code });
      const text = `Welcome! Choose your password here:\n\n${link}\n\n${until(mail.expireTime)}`;
      return { to, subject: "Please confirm your email", text };
    }
    case "password_reset": {
      const link = linkTo(site, "reset-password", { email: to, token: mail.resetToken });
      const text = `Choose a new password here:\n\n${link}\n\n${until(mail.expireTime)}
If you did not ask for it, do nothing: your password stays as it is.`;
      return { to, subject: "Your new password", text };
    }
    case "password_changed": {
      const text = `Your password was changed. If that was not you, reset it at once:
${linkTo(site, "forgot-password", {})}`;
      return { to, subject: "Your password was changed", text };
    }
    default:
      return undefined;
  }
}

function linkTo(site: string, page: string, values: Record<string, string>): string {
  const url = new URL(page, site);
  url.hash = new URLSearchParams(values).toString();
  return url.href;
}

function until(expireTime: string): string {
  return `The link works until ${new Date(expireTime).toUTCString()}.`;
}
