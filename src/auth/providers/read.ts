import { parseEmail } from "../email.ts";
import type { JsonObject } from "../provider-http.ts";
import type { Email } from "../repository.ts";

const LONGEST_ID = 255;
const LONGEST_TEXT = 256;

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
  const cleaned = value.toWellFormed().replaceAll("\0", "").trim();
  return [...cleaned].slice(0, LONGEST_TEXT).join("");
}

/** An email; undefined if there is none, or none that mail could reach. */
export function readEmail(body: JsonObject, name: string): Email | undefined {
  const value = body[name];
  return typeof value === "string" ? parseEmail(value) : undefined;
}

function isClean(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
