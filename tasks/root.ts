/**
 * @module
 * Where the repository is. A path is not the path of its URL: that has %20 for a space, and on Windows
 * a slash in front.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a file or folder of the repository; without an argument, of the repository itself. */
export function repositoryPath(...parts: readonly string[]): string {
  return join(fileURLToPath(new URL("../", import.meta.url)), ...parts);
}
