/**
 * @module
 * What the doctor says: something that was found, with what to do about it.
 */
import { MspError, pathOf, reasonOf } from "../errors.ts";

/** Something that was found. */
export interface Finding {
  /** `note`: works, but could be better. */
  readonly level: "wrong" | "note";
  readonly what: string;
  readonly remedy: string;
}

/** What an action gave, or what is wrong because it failed. */
export type Attempt<T> = { readonly value: T } | { readonly finding: Finding };

/** Makes a finding of an error of ours, or of one of the file system. */
export async function attempt<T>(action: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (error instanceof MspError) {
      const isMissing = error.cause instanceof Deno.errors.NotFound;
      const other = isMissing ? "check the paths in config.ini, or " : "";
      const remedy = error.hint ?? `${other}restore it from a backup`;
      return { finding: { level: "wrong", what: error.message, remedy } };
    }
    const path = pathOf(error);
    if (path === undefined) throw error;
    const what = `Cannot use ${path}: ${reasonOf(error)}`;
    return { finding: { level: "wrong", what, remedy: "check owner and mode with ls -ld" } };
  }
}
