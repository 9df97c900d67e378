/**
 * @module
 * The folders and the register of a key store, created where absent.
 */
import { dirname } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { reasonOf, StoreError } from "../errors.ts";
import { createFile, ensureFolder, exists, PRIVATE_MODE } from "../files.ts";

const FOLDER_MODE = 0o700;

/**
 * Makes the folders of the store where absent.
 *
 * @returns the paths that were made.
 * @throws {StoreError} when one cannot be made.
 */
export async function ensureFolders(paths: StorePaths): Promise<string[]> {
  const made: string[] = [];
  const folders = new Set([paths.serverFolder, paths.clientsFolder, dirname(paths.register)]);
  for (const folder of folders) {
    try {
      if (await ensureFolder(folder, FOLDER_MODE)) made.push(folder);
    } catch (error) {
      throw new StoreError(`Cannot make folder ${folder}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return made;
}

/**
 * Makes an empty register where absent.
 *
 * @returns whether it had to be made.
 * @throws {StoreError} when it cannot be written.
 */
export async function ensureRegister(paths: StorePaths): Promise<boolean> {
  try {
    if (await exists(paths.register)) return false;
    await createFile(paths.register, "", { mode: PRIVATE_MODE });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw new StoreError(`Cannot write ${paths.register}: ${reasonOf(error)}`, { cause: error });
  }
}
