/**
 * @module
 * Texts that break parsers; every parser gets them all.
 */

/** The list. */
export const HOSTILE_TEXTS: readonly string[] = [
  "",
  " ",
  "\0",
  "\n\r\n",
  "null",
  "true",
  "[]",
  "{}",
  "-0",
  "1e999",
  "__proto__",
  "constructor",
  "__proto__=x",
  "[__proto__]\nx=1",
  "[constructor]\nprototype=1",
  "../../etc/passwd",
  "..\\..\\x",
  "%(x)s",
  "%",
  "a".repeat(100_000),
  "[".repeat(100_000),
  "\ufeff[Server]\nPort=1",
  "\u2028\u2029",
  "\ud800",
  "\u{1F600}".repeat(1000),
  "=".repeat(1000),
  ":::",
  "$(id)",
  "'; DROP TABLE clients; --",
  "A".repeat(43) + "=",
  "A".repeat(44),
  "ab".repeat(64),
];
