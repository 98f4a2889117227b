import { domainToASCII } from "node:url";
import type { Email } from "../repository.ts";

const LONGEST_EMAIL = 254;
/**
 * In UTF-16 units, before anything is done with a text: composing and folding take time that grows
 * faster than its length. It is four for each character that may be left.
 */
const LONGEST_TEXT = 4 * LONGEST_EMAIL;

/** No spaces, no invisible or control characters, and none that only quoted forms may have. */
const LOCAL_PART = /^[^\p{C}\p{Z}"(),:;<>@[\\\]]+$/u;

const OTHER_DOTS = /^[\u3002\uFF0E\uFF61]$/;
/** Letters and digits of any script, hyphens, and the dots that IDNA takes for dots. */
const DOMAIN = /^[\p{L}\p{M}\p{N}.\-\u3002\uFF0E\uFF61]+$/u;
const ASCII_DOMAIN =
  /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/;
const IP_ADDRESS = /^\d+(?:\.\d+){3}$/;

/** Spaces around an address, which people paste with it. A line feed is no space. */
const SPACES_AROUND = /^\p{Zs}+|\p{Zs}+$/gu;
const ONLY_ASCII = /^[\0-\x7f]*$/;

/**
 * Reads an email address: without spaces around it, in NFC, at most 254 characters. Its key is the
 * same for addresses that differ only in letter case or in how the domain is written
 * (`münchen.de`, `xn--mnchen-3ya.de`). Undefined if it is not an address that mail could reach;
 * quoted local parts and address literals are not taken. Nor are characters that a step of the key
 * would turn into ASCII ones, such as the Kelvin sign: they would sign in as somebody else.
 */
export function parseEmail(text: string): Email | undefined {
  if (text.length > LONGEST_TEXT || !text.isWellFormed()) return undefined;
  const given = text.replace(SPACES_AROUND, "");
  if (Array.from(given).some(becomesAscii)) return undefined;
  const address = given.normalize("NFC");
  if ([...address].length > LONGEST_EMAIL) return undefined;
  const at = address.lastIndexOf("@");
  const local = address.slice(0, Math.max(0, at));
  const domain = address.slice(at + 1);
  if (!LOCAL_PART.test(local) || !DOMAIN.test(domain)) return undefined;
  if (Array.from(domain).some(isAsciiInDomains)) return undefined;
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
  return `${foldCase(prefix.slice(0, at))}@${domainPrefix(prefix.slice(at + 1))}`;
}

/** The beginning of a domain is not parsed as a whole one: `163` would be an IP address. */
function domainPrefix(domain: string): string {
  const ascii = ONLY_ASCII.test(domain) ? "" : domainToASCII(domain);
  return ascii === "" || IP_ADDRESS.test(ascii) ? domain.toLowerCase() : ascii;
}

/** Whether NFC makes an ASCII character of another one. */
function becomesAscii(character: string): boolean {
  return !ONLY_ASCII.test(character) && ONLY_ASCII.test(character.normalize("NFC"));
}

/**
 * Whether IDNA takes a character in a domain for ASCII ones or for nothing: fullwidth letters, the
 * long s, invisible characters. The dots of other scripts are dots.
 */
function isAsciiInDomains(character: string): boolean {
  if (ONLY_ASCII.test(character) || OTHER_DOTS.test(character)) return false;
  const read = domainToASCII(`x${character}x`);
  return read !== "" && !read.startsWith("xn--");
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
  const upper = character.toUpperCase();
  const folded = isOneCharacter(upper) ? upper.toLowerCase() : character.toLowerCase();
  return ONLY_ASCII.test(folded) && !ONLY_ASCII.test(character) ? character : folded;
}

function isOneCharacter(text: string): boolean {
  return text.length === String.fromCodePoint(text.codePointAt(0) ?? 0).length;
}
