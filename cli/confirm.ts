/**
 * @module
 * Asks before something is done that cannot be undone.
 */
import { StoreError } from "../lib/errors.ts";
import type { Io } from "./command.ts";

/** The flag of commands that ask. */
export const YES_FLAG = { yes: { meaning: "skip the confirmation" } } as const;

/**
 * Whether the user wants it; says so when not.
 *
 * @param what completes "This will …"
 * @throws {StoreError} when there is no terminal to ask on.
 */
export function confirm(io: Io, what: string): boolean {
  const answer = io.ask(`This will ${what}. Proceed? (y|n)`);
  if (answer === undefined) {
    throw new StoreError(`Cannot ask whether to ${what}: there is no terminal`, {
      hint: "pass --yes to skip the question",
    });
  }
  if (/^y(es)?$/i.test(answer.trim())) return true;
  io.out("Nothing changed\n");
  return false;
}
