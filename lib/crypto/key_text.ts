/**
 * @module
 * What a text is that should be a key or a secret: people hand over what is next to it. Nothing here
 * repeats the text, which may be a secret.
 */
import { count } from "../prose.ts";

/** A form that a text may have; the first that fits is told. */
type Form = readonly [what: string, isSo: RegExp];

/** Forms of texts that are neither key nor secret. */
const COMMON: readonly Form[] = [
  ["empty", /^\s*$/],
  ["UTF-16, not UTF-8", /\0/],
  ["a PEM file", /-----BEGIN/],
  ["all that appendclient prints, not one value of it", /Client Hex Secret:/],
];

const KEY = "[A-Za-z0-9+/]{43}=";

const KEY_FORMS: readonly Form[] = [
  ...COMMON,
  ["a client secret", /^[0-9a-fA-F]{128}$/],
  ["hexadecimal", /^[0-9a-fA-F]{64}$/],
  ["a line of the register", /^sha256:/],
  ["an SSH key", /^(?:ssh|ecdsa|sk-ssh)-/],
  ["a key of age", /^(?:age1|AGE-SECRET-KEY-)/],
  ["a fingerprint", /^SHA256:/],
  ["a key without its = at the end", /^[A-Za-z0-9+/]{43}$/],
  [
    "a key in URL-safe base64, with - and _ in place of + and /",
    /^(?=.*[-_])[A-Za-z0-9+/_-]{43}=?$/,
  ],
  ["a key in quotes", new RegExp(`^["'\`]${KEY}["'\`]$`)],
  ["more than one key", new RegExp(`^${KEY}\\s+${KEY}`)],
  ["a key with text behind it", new RegExp(`^${KEY}\\s`)],
  ["a key with text before it", new RegExp(`\\s${KEY}$`)],
  ["a key with text around it", new RegExp(`\\s${KEY}\\s`)],
  ["not base64: a key cannot end like this", new RegExp(`^${KEY}$`)],
];

const SECRET_FORMS: readonly Form[] = [
  ...COMMON,
  ["a line of the register, which has only a digest of the secret", /^sha256:/],
  ["a key", new RegExp(`^${KEY}$`)],
  ["a secret on several lines", /^(?:[0-9a-fA-F]\s*){128}$/],
];

/**
 * What a text is that is not a key; completes "the text is …".
 *
 * @param byteCount how many bytes the text decodes to, if it is base64
 */
export function describeKeyText(text: string, byteCount: number | undefined): string {
  const form = formOf(text, KEY_FORMS);
  if (form !== undefined) return form;
  return byteCount === undefined ? "not base64" : `not 32 bytes but ${byteCount}`;
}

/** What a text is that is not a client secret; completes "the text is …". */
export function describeSecretText(text: string): string {
  return formOf(text, SECRET_FORMS) ?? count(text.trim().length, "character");
}

function formOf(text: string, forms: readonly Form[]): string | undefined {
  const trimmed = text.trim();
  return forms.find(([, isSo]) => isSo.test(trimmed))?.[0];
}
