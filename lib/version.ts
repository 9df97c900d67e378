/**
 * @module
 * The program's version and where it comes from.
 */
import config from "../deno.json" with { type: "json" };

/** As in Semantic Versioning. */
export const VERSION: string = config.version;

/** The commit that an executable was built from, which tasks/compile.ts puts in. */
export function builtCommit(): string | undefined {
  return Deno.build.standalone ? Deno.env.get("MSP_COMMIT") : undefined;
}
