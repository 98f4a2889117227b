import { domainToASCII } from "node:url";
import type { Email } from "../repository.ts";

const LONGEST_EMAIL = 254;

/** No spaces, no invisible or control characters, and none that only quoted forms may have. */
const LOCAL_PART = /^[^\p{C}\p{Z}"(),:;<>@[\\\]]+$/u;

/** Letters and digits of any script, hyphens, and the dots that IDNA takes for dots. */
const DOMAIN = /^[\p{L}\p{M}\p{N}.\-\u3002\uFF0E\uFF61]+$/u;
const ASCII_DOMAIN =
  /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/;
const IP_ADDRESS = /^\d+(?:\.\d+){3}$/;

/**
 * Reads an email address: trimmed, in NFC, at most 254 characters. Its key is the same for
 * addresses that differ only in letter case or in how the domain is written (`münchen.de`,
 * `xn--mnchen-3ya.de`). Undefined if it is not an address that mail could reach; quoted local
 * parts and address literals are not taken.
 */
export function parseEmail(text: string): Email | undefined {
  if (!text.isWellFormed()) return undefined;
  const address = text.trim().normalize("NFC");
  if ([...address].length > LONGEST_EMAIL) return undefined;
  const at = address.lastIndexOf("@");
  const local = address.slice(0, Math.max(0, at));
  const domain = address.slice(at + 1);
  if (!LOCAL_PART.test(local) || !DOMAIN.test(domain)) return undefined;
  const asciiDomain = domainToASCII(domain);
  if (!ASCII_DOMAIN.test(asciiDomain) || IP_ADDRESS.test(asciiDomain)) return undefined;
  return { address, key: `${foldCase(local)}@${asciiDomain}` };
}

/**
 * The prefix of the keys of all addresses that begin with `text`, in any letter case. An
 * internationalised domain is found by its ASCII form, or when it is written out.
 */
export function emailKeyPrefix(text: string): string {
  const prefix = text.trimStart().normalize("NFC");
  const at = prefix.lastIndexOf("@");
  if (at === -1) return foldCase(prefix);
  const domain = prefix.slice(at + 1);
  return `${foldCase(prefix.slice(0, at))}@${domainToASCII(domain) || domain.toLowerCase()}`;
}

/**
 * Unicode's simple case folding: only characters that are each other's capitals become the same.
 * Full folding would also give `ß` the account of `ss`. Only ASCII letters become ASCII letters:
 * the Turkish `ı` and the long `ſ`, whose capitals are `I` and `S`, are other mailboxes than `i`
 * and `s`.
 */
function foldCase(text: string): string {
  return Array.from(text, foldCharacter).join("").normalize("NFC");
}

function foldCharacter(character: string): string {
  if (character === "ı" || character === "ſ") return character;
  const upper = character.toUpperCase();
  return isOneCharacter(upper) ? upper.toLowerCase() : character.toLowerCase();
}

function isOneCharacter(text: string): boolean {
  return text.length === String.fromCodePoint(text.codePointAt(0) ?? 0).length;
}
