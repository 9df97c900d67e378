/**
 * @module
 * `PublicError`: an error whose message and data the caller of a function may see. A global of the worker,
 * so that modules need no import, which works in every build.
 */
import type { PublicErrorConstructor } from "../types.ts";

const NAME = "PublicError";

/** The class that modules see. */
export const PublicError: PublicErrorConstructor = class extends Error {
  override readonly name = NAME;
  readonly data: unknown;

  constructor(message: string, detail: { readonly data?: unknown; readonly cause?: unknown } = {}) {
    super(message, "cause" in detail ? { cause: detail.cause } : {});
    this.data = detail.data;
  }
};

/**
 * Message and data of an error that is for the caller; nothing for every other one. Its name decides: a
 * module may have a class of its own of that name, for instance in its unit tests.
 */
export function publicPartOf(
  error: unknown,
): { readonly message: string; readonly data: unknown } | undefined {
  if (!(error instanceof Error) || error.name !== NAME) return undefined;
  return { message: String(error.message), data: (error as { data?: unknown }).data };
}
