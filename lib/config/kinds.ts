/**
 * @module
 * Kinds of values in config.ini and modules.ini: how each is read, and what an error message says
 * about a value of another kind.
 */

/** A kind of value. */
export interface Kind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  /** For the tables of options: `seconds`; absent for values without a unit. */
  readonly unit?: string;
  /** For the tables of options, without the unit; {@link Kind.expected} when absent. */
  readonly values?: string;
  /** `undefined` when the text is not such a value. */
  readonly parse: (text: string) => T | undefined;
}

/** A whole number in a range, with its unit if it has one. */
export function wholeNumber(unit: string | undefined, least: number, most: number): Kind<number> {
  return {
    expected: `a whole number${unit === undefined ? "" : ` of ${unit}`} from ${least} to ${most}`,
    ...unit === undefined ? {} : { unit },
    values: `${least} to ${most}`,
    parse(text): number | undefined {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

/** A path. */
export const PATH: Kind<string> = {
  expected: "a path",
  parse: (text) => text === "" || text.includes("\0") ? undefined : text,
};

/** One of a few words; case-insensitive. */
export function oneOf<T extends string>(...words: readonly T[]): Kind<T> {
  return {
    expected: words.join(" or "),
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  };
}

/** Values of a kind, separated by commas; at least one. */
export function listOf<T>(
  what: string,
  parse: (text: string) => T | undefined,
): Kind<readonly T[]> {
  return {
    expected: what,
    parse(text): readonly T[] | undefined {
      const values = text.split(",").map((part) => parse(part.trim()));
      return values.every((value) => value !== undefined) ? values : undefined;
    },
  };
}
