import { parseEmail } from "../accounts/email.ts";
import type { Email } from "../repository.ts";
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

/** A text of a profile: empty if there is none, cut if it is longer than a name can be. */
export function readText(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== "string") return "";
  // Cut before it is cleaned: a provider may send megabytes.
  const cleaned = value.slice(0, LONGEST_RAW_TEXT).toWellFormed().replaceAll("\0", "").trim();
  return [...cleaned].slice(0, LONGEST_TEXT).join("");
}

/** The address of a page or a picture; empty if there is none, or one that is not http or https. */
export function readUrl(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || value.length > LONGEST_URL || !isClean(value)) return "";
  const url = URL.parse(value);
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
    profile: {
      firstName: readText(claims, "given_name"),
      lastName: readText(claims, "family_name"),
      picture: readUrl(claims, "picture"),
      locale: readText(claims, "locale"),
    },
  };
}

function isClean(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
