/**
 * @module
 * Kinds of values in config.ini and modules.ini. A kind turns the text of an option into its final value
 * once, or refuses it.
 */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { serverAddress } from "../../client/link.ts";

/** The value of a text, or why the text has none where `expected` does not say it. */
export type Parsed<T> = { readonly value: T } | { readonly note: string | undefined };

/** A kind of value. */
export interface Kind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  /** For the tables of options: `seconds`; absent for values without a unit. */
  readonly unit?: string;
  /** For the tables of options, without the unit; {@link Kind.expected} when absent. */
  readonly values?: string;
  /** A text that may hold a secret, as a message may show it. */
  readonly show?: (text: string) => string;
  readonly parse: (text: string) => Parsed<T>;
}

/** An IP address and a port; 0 lets the operating system choose a free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A user and a group of the operating system, by number. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * What to say about a text that a kind refused.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(refusal(PATH, "", { note: undefined }), '"", expected a path');
 * ```
 */
export function refusal(
  kind: Pick<Kind<unknown>, "expected" | "show">,
  text: string,
  { note }: { readonly note: string | undefined },
): string {
  const shown = JSON.stringify((kind.show?.(text) ?? text).slice(0, MAX_SHOWN));
  return `${shown}, expected ${kind.expected}${note === undefined ? "" : `; ${note}`}`;
}
/** Characters of a refused text in a message. */
const MAX_SHOWN = 80;

/** A kind from a parser that returns `undefined` for a text that it refuses. */
export function kindOf<T>(expected: string, parse: (text: string) => T | undefined): Kind<T> {
  return {
    expected,
    parse(text): Parsed<T> {
      const value = parse(text);
      return value === undefined ? { note: undefined } : { value };
    },
  };
}

/** A whole number in a range, with its unit if it has one. */
export function wholeNumber(unit: string | undefined, least: number, most: number): Kind<number> {
  const expected = `a whole number${
    unit === undefined ? "" : ` of ${unit}`
  } from ${least} to ${most}`;
  const kind = kindOf(expected, (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most ? value : undefined;
  });
  return { ...kind, values: `${least} to ${most}`, ...unit === undefined ? {} : { unit } };
}

/** One of a few words, each with its value; case-insensitive. */
export function choice<T>(words: Readonly<Record<string, T>>): Kind<T> {
  const values = new Map(Object.entries(words));
  return kindOf([...values.keys()].join(" or "), (text) => values.get(text.toLowerCase()));
}

/** A value of another kind, or a word for `undefined`. */
export function optional<T>(kind: Kind<T>, word = "none"): Kind<T | undefined> {
  return {
    ...kind,
    expected: `${word}, or ${kind.expected}`,
    parse: (text) => text === word ? { value: undefined } : kind.parse(text),
  };
}

/** Values of a kind, separated by commas; at least one. `expected` is for all of them. */
export function listOf<T>(expected: string, kind: Kind<T>): Kind<readonly T[]> {
  return {
    expected,
    parse(text): Parsed<readonly T[]> {
      const values: T[] = [];
      for (const part of text.split(",")) {
        const parsed = kind.parse(part.trim());
        if (!("value" in parsed)) return parsed;
        values.push(parsed.value);
      }
      return { value: values };
    },
  };
}

/** Values of a kind, separated by commas, or `none` for no value. */
export function optionalList<T>(expected: string, kind: Kind<T>): Kind<readonly T[]> {
  const list = listOf(`none, or ${expected}`, kind);
  return { ...list, parse: (text) => text === "none" ? { value: [] } : list.parse(text) };
}

/**
 * A path, made absolute from the working folder. `~` and `$NAME` are refused: in a file, after `=` and in
 * most service managers no shell replaces them.
 */
export const PATH: Kind<string> = {
  expected: "a path",
  parse(text): Parsed<string> {
    if (text === "" || text.includes("\0")) return { note: undefined };
    const [name] = /^~[^/]*(?=\/|$)|\$\{?[A-Za-z_]\w*\}?/.exec(text) ?? [];
    return name === undefined
      ? { value: resolve(text) }
      : { note: `nothing replaces ${name} here, write the whole path` };
  },
};

/** The address of a server as its clients call it, without a slash at the end. */
export const PUBLIC_URL: Kind<string> = kindOf(
  "an address such as https://home.example, without ? and #",
  (text) => {
    try {
      return serverAddress(text);
    } catch {
      return undefined;
    }
  },
);

/** An IP address or a host name, to listen on. */
export const HOST: Kind<string> = kindOf(
  "an IP address or a host name",
  (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)
      ? text
      : undefined,
);

/** The same to compare with a Host header: in lower case. */
export const HOST_NAME: Kind<string> = { ...HOST, parse: (text) => HOST.parse(text.toLowerCase()) };

/** The origin of a web page, as browsers send it; `*` for all. */
export const ORIGIN: Kind<string> = kindOf(
  "an origin such as https://app.example, or *",
  (text) => {
    if (text === "*") return text;
    const url = URL.parse(text);
    return url !== null && /^https?:$/.test(url.protocol) && `${url.origin}` === text.toLowerCase()
      ? url.origin
      : undefined;
  },
);

/** An IP address with a port. */
export const LISTEN: Kind<ListenAddress> = kindOf(
  "an IP address and a port, such as 127.0.0.1:9101",
  (text) => {
    const [, v6, v4, portText = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = v6 ?? v4 ?? "";
    const port = Number(portText);
    return isIP(host) !== 0 && port <= 65535 ? { host, port } : undefined;
  },
);

/** Names and patterns of functions, in lower case; nothing where all functions are meant. */
export const FUNCTION_PATTERNS: Kind<readonly string[] | undefined> = {
  expected: "function names separated by commas; * stands for any characters, ! denies",
  parse(text): Parsed<readonly string[] | undefined> {
    if (text === "" || text === "*") return { value: undefined };
    const patterns = parsePatterns(text);
    return patterns === undefined ? { note: undefined } : { value: patterns };
  },
};

/** The names and patterns of a list; `undefined` when one is malformed. */
export function parsePatterns(text: string): readonly string[] | undefined {
  const patterns = text.split(",").map((part) => part.trim().toLowerCase());
  return patterns.every((each) => /^!?[^!\s=,;#[\]]+$/.test(each)) ? patterns : undefined;
}

/** The last of 32 bits' values means "unchanged" to the operating system. */
const MAX_ID = 0xffff_fffe;

/** The numbers of a user and a group. */
export const USER: Kind<SystemUser> = kindOf(
  "the numbers of a user and a group, UID:GID",
  (text) => {
    const [, uid = NaN, gid = NaN] = (/^(\d{1,10}):(\d{1,10})$/.exec(text) ?? []).map(Number);
    return uid <= MAX_ID && gid <= MAX_ID ? { uid, gid } : undefined;
  },
);

/** Permission bits of a file. */
export const MODE: Kind<number> = kindOf(
  "a mode of three octal digits, such as 660",
  (text) => /^0?[0-7]{3}$/.test(text) ? parseInt(text, 8) : undefined,
);

/** Where a Redis or Valkey server is. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly username?: string;
  readonly database: number;
}

const REDIS_PORT = 6379;

/** The URL of a Redis or Valkey server, without a password: config.ini is not a secret file. */
export const REDIS_URL: Kind<RedisAddress> = {
  expected: "a URL such as redis://redis.example:6379 or rediss://user@redis.example",
  show: (text) => text.replace(/\/\/[^/]*@/, "//…@"),
  parse(text): Parsed<RedisAddress> {
    const [, scheme, user, v6, name, portText = `${REDIS_PORT}`, databaseText = "0"] =
      /^(rediss?):\/\/(?:([^/@%]*)@)?(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?(?:\/(\d{0,5}))?$/i
        .exec(text) ?? [];
    const port = Number(portText), host = v6 ?? name;
    if (scheme === undefined || host === undefined || port === 0 || port > 65535) {
      return { note: undefined };
    }
    if (user?.includes(":")) {
      return { note: "the password goes into MSP_REDIS_PASSWORD or PasswordFile" };
    }
    return {
      value: {
        host,
        port,
        isTls: scheme.toLowerCase() === "rediss",
        ...user ? { username: user } : {},
        database: Number(databaseText),
      },
    };
  },
};

/** A name that begins the names of keys in Redis. */
export const KEY_PREFIX: Kind<string> = kindOf(
  "1 to 32 letters, digits, dots, hyphens and underscores",
  (text) => /^[\w.-]{1,32}$/.test(text) ? text : undefined,
);
