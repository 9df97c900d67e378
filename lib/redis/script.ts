/**
 * @module
 * Lua scripts for Redis: each runs as one step, without anything in between.
 */
import { createHash } from "node:crypto";

/** A script, and the name by which Redis keeps it. */
export interface Script {
  readonly text: string;
  /** SHA-1 in hex, as `EVALSHA` wants it. */
  readonly digest: string;
}

/** Names a script. */
export function scriptOf(text: string): Script {
  return { text, digest: createHash("sha1").update(text).digest("hex") };
}
