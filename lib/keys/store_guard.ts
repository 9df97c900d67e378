/**
 * @module
 * Changes of the key store: under a lock, and with errors that say which store they are about.
 */
import type { StorePaths } from "../config/settings.ts";
import { MspError, reasonOf, StoreError } from "../errors.ts";
import { withLock } from "../files.ts";

/**
 * Runs a change of the clients under the lock of their folder.
 *
 * @throws {StoreError} when the file system refuses, or another command holds the lock.
 */
export async function changeStore<T>(paths: StorePaths, action: () => Promise<T>): Promise<T> {
  return await guardStore(paths.clientsFolder, () => withLock(paths.clientsFolder, action));
}

/**
 * Tells which store an error of the file system is about.
 *
 * @throws {StoreError} for any error that is not ours.
 */
export async function guardStore<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof MspError) throw error;
    throw new StoreError(`Cannot use the key store in ${folder}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
