/**
 * @module
 * The three files of a client of protocol v1, for a client that joins: client.key, client.secret and
 * server.pub. Existing files are never changed.
 */
import { join, resolve } from "node:path";
import type { Joined } from "../client/join.ts";
import type { Profile } from "../client/profile.ts";
import { KeyFileError, reasonOf } from "../lib/errors.ts";
import { createFile, ensureFolder, PRIVATE_MODE } from "../lib/files.ts";

const NAMES = { key: "client.key", secret: "client.secret", serverKey: "server.pub" } as const;
const FOLDER_MODE = 0o700;

/** A folder for the files. */
export class V1Files {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Checks that the files can be written, before anything is sent.
   *
   * @param earlier the profile that an earlier attempt kept, where there is one
   * @throws {KeyFileError} when a file of another client is there, or there is no folder.
   */
  static async prepare(
    folder: string,
    earlier: () => Promise<Profile | undefined>,
  ): Promise<V1Files> {
    const files = new V1Files(resolve(folder));
    const known: Record<string, string | undefined> = {};
    for (const name of Object.values(NAMES)) known[name] = await files.#read(name);
    if (Object.values(known).some((text) => text !== undefined)) {
      const kept = (await earlier())?.privateKey;
      if (kept === undefined || known[NAMES.key]?.trim() !== kept) throw files.#isThere(known);
    }
    try {
      await ensureFolder(files.#folder, FOLDER_MODE);
    } catch (error) {
      throw files.#failed(files.#folder, error);
    }
    return files;
  }

  /**
   * Writes what is missing.
   *
   * @returns the paths of all three.
   * @throws {KeyFileError} when the server gave no secret, or a file cannot be written.
   */
  async write({ profile, v1 }: Joined): Promise<string[]> {
    if (v1 === undefined) {
      throw new KeyFileError(
        "Cannot write client.secret: the server gave no secret for protocol v1",
        {
          hint:
            "this client has joined before without --v1; use another invite, with another profile",
        },
      );
    }
    const paths: string[] = [];
    // The key is last: once it is there, the others are.
    for (
      const [name, text] of [
        [NAMES.serverKey, v1.serverKey],
        [NAMES.secret, v1.secret],
        [NAMES.key, profile.privateKey],
      ] as const
    ) paths.push(await this.#writeFile(name, text));
    return paths.reverse();
  }

  async #writeFile(name: string, text: string): Promise<string> {
    const path = join(this.#folder, name);
    if (await this.#read(name) === text) return path;
    try {
      await createFile(path, text, { mode: PRIVATE_MODE });
    } catch (error) {
      throw this.#failed(path, error);
    }
    return path;
  }

  async #read(name: string): Promise<string | undefined> {
    const path = join(this.#folder, name);
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw this.#failed(path, error);
    }
  }

  #isThere(known: Readonly<Record<string, string | undefined>>): KeyFileError {
    const [name = ""] = Object.keys(known).filter((each) => known[each] !== undefined);
    return new KeyFileError(`Cannot write ${join(this.#folder, name)}: it exists already`, {
      hint: "choose another folder, or remove the files of the other client",
    });
  }

  #failed(path: string, error: unknown): KeyFileError {
    return new KeyFileError(`Cannot use ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
