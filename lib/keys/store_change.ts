/**
 * @module
 * What every change of the clients in the key store has in common: the lock, and the parts that the
 * commands (store.ts) and the registration of invited clients (invites.ts) share. Imports no package: the
 * process that registers clients loads this.
 */
import { dirname } from "node:path";
import type { StorePaths } from "../config/settings.ts";
import { MspError, reasonOf, StoreError } from "../errors.ts";
import { PRIVATE_MODE, replaceFile, withLock } from "../files.ts";
import { refuseAsRoot } from "../owner.ts";
import { settleInvites } from "./invite_files.ts";
import { clientNumber, readRegister } from "./store_reader.ts";

/**
 * Runs a change of the clients under the lock of their folder, once what a killed registration left is
 * settled.
 *
 * @throws {StoreError} when the file system refuses, or another command holds the lock.
 */
export async function changeStore<T>(paths: StorePaths, action: () => Promise<T>): Promise<T> {
  return await guardStore(paths.clientsFolder, async () => {
    await refuseForeignStore(paths);
    return await withLock(paths.clientsFolder, async () => {
      await settleInvites(paths);
      return await action();
    });
  });
}

/**
 * Root changes no key store of another user.
 *
 * @throws {StoreError} with the command to use.
 */
export async function refuseForeignStore(paths: StorePaths): Promise<void> {
  const { serverFolder, clientsFolder, register } = paths;
  await refuseAsRoot([serverFolder, clientsFolder, dirname(register), register]);
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

/** Adds a line to the register; one that is there already is not repeated. For use in {@link changeStore}. */
export async function addSecretLine({ register }: StorePaths, line: string): Promise<void> {
  const before = await readRegister(register);
  if (before.split(/\r\n|\n|\r/).includes(line)) return;
  const separator = before === "" || /[\r\n]$/.test(before) ? "" : "\n";
  await replaceFile(register, `${before}${separator}${line}\n`, { mode: PRIVATE_MODE });
}

/** The number after the highest one in names of client files. */
export function nextNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, clientNumber(name) ?? 0), 0) + 1;
}
