import { parseEmail } from "../accounts/email.ts";
import type { Email, ProviderProfile } from "../repository.ts";
import type { JsonObject } from "./http.ts";
import type { Identity } from "./provider.ts";

const LONGEST_ID = 255;
const LONGEST_TEXT = 256;
/** In UTF-16 units, of which a character has two at most; the rest is for spaces around it. */
const LONGEST_RAW_TEXT = 4 * LONGEST_TEXT;
/** Pictures have long signed addresses. */
const LONGEST_URL = 2_048;

/**
 * An id at a provider, to the digit, whether it came as a string or as a bare number. Undefined if
 * it is not one.
 */
export function readId(value: unknown): string | undefined {
  const id = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  const usable = typeof id === "string" && id !== "" && id.length <= LONGEST_ID && isClean(id);
  return usable ? id : undefined;
}

/** What each field of a profile is called where a provider tells it. */
type ProfileNames = Readonly<Partial<Record<keyof ProviderProfile, string>>>;

/**
 * The profile that a provider tells. A field that is not there, or is no text, is empty. So is one
 * that is too long: half a name would be shown as if it were one.
 */
export function readProfile(
  body: JsonObject,
  names: ProfileNames,
): Pick<Identity, "profile" | "tooLong"> {
  const profile = { firstName: "", lastName: "", picture: "", locale: "" };
  const tooLong: (keyof ProviderProfile)[] = [];
  for (const [field, name] of Object.entries(names) as [keyof ProviderProfile, string][]) {
    const value = body[name];
    if (typeof value !== "string") continue;
    const read = field === "picture" ? readUrl(value) : readText(value);
    if (read === undefined) tooLong.push(field);
    else profile[field] = read;
  }
  return { profile, tooLong };
}

/** A text, clean; undefined if it is longer than a name can be. */
function readText(value: string): string | undefined {
  // Looked at before it is cleaned: a provider may send megabytes.
  if (value.length > LONGEST_RAW_TEXT) return undefined;
  const cleaned = value.toWellFormed().replaceAll("\0", "").trim();
  return [...cleaned].length > LONGEST_TEXT ? undefined : cleaned;
}

/**
 * The address of a page or a picture; empty if it is not one of http or https, undefined if it is
 * too long.
 */
function readUrl(value: string): string | undefined {
  if (value.length > LONGEST_URL) return undefined;
  const url = isClean(value) ? URL.parse(value) : null;
  return url?.protocol === "https:" || url?.protocol === "http:" ? value : "";
}

/** An email; undefined if there is none, or none that mail could reach. */
export function readEmail(body: JsonObject, name: string): Email | undefined {
  const value = body[name];
  return typeof value === "string" ? parseEmail(value) : undefined;
}

/** An object within an object; an empty one if there is none. */
export function readObject(body: JsonObject, name: string): JsonObject {
  const value = body[name];
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as JsonObject) : {};
}

/** The word for a refusal (RFC 6749, 5.2), for the log; undefined if it is anything but a word. */
export function readErrorWord(body: JsonObject): string | undefined {
  const error = body["error"];
  return typeof error === "string" && /^[a-z_]{1,40}$/.test(error) ? error : undefined;
}

/** Who it is by the standard claims of OpenID Connect; undefined without a subject. */
export function readOpenIdClaims(claims: JsonObject, trustEmail: boolean): Identity | undefined {
  const socialId = readId(claims["sub"]);
  if (socialId === undefined) return undefined;
  const email = readEmail(claims, "email");
  // Some providers write the boolean as a text.
  const verified = claims["email_verified"] === true || claims["email_verified"] === "true";
  return {
    socialId,
    email,
    emailVerified: email !== undefined && (verified || trustEmail),
    ...readProfile(claims, {
      firstName: "given_name",
      lastName: "family_name",
      picture: "picture",
      locale: "locale",
    }),
  };
}

function isClean(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
