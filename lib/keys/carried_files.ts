/**
 * @module
 * What a new client needs, as files that are ready to be carried to it: client.secret and server.pub,
 * readable for their owner only.
 */
import { join } from "node:path";
import { formatKey, type PublicKey, type SecretHex } from "../crypto/keys.ts";
import { KeyFileError, reasonOf } from "../errors.ts";
import { createFile, ensureFolder, PRIVATE_MODE, removeIfThere } from "../files.ts";

const FOLDER_MODE = 0o700;

/** The files in one folder. */
export class CarriedFiles {
  readonly secretPath: string;
  readonly serverKeyPath: string;
  readonly #folder: string;
  readonly #written: string[] = [];

  /** @param folder created where absent */
  constructor(folder: string) {
    this.#folder = folder;
    this.secretPath = join(folder, "client.secret");
    this.serverKeyPath = join(folder, "server.pub");
  }

  /**
   * Writes both files, or none. A server.pub that is there already with the same key stays.
   *
   * @throws {KeyFileError} when one of them is there, or cannot be written.
   */
  async write(secret: SecretHex, serverPublicKey: PublicKey): Promise<void> {
    try {
      await ensureFolder(this.#folder, FOLDER_MODE);
    } catch (error) {
      const state = `Cannot create folder ${this.#folder}: ${reasonOf(error)}`;
      throw new KeyFileError(state, { cause: error });
    }
    const key = formatKey(serverPublicKey);
    try {
      await this.#create(this.secretPath, secret);
      const there = await Deno.readTextFile(this.serverKeyPath).catch(() => "");
      if (there.trim() !== key) await this.#create(this.serverKeyPath, key);
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Removes what was written. */
  async remove(): Promise<void> {
    for (const path of this.#written.splice(0)) await removeIfThere(path).catch(() => {});
  }

  async #create(path: string, text: string): Promise<void> {
    try {
      await createFile(path, text, { mode: PRIVATE_MODE });
    } catch (error) {
      const isThere = error instanceof Deno.errors.AlreadyExists;
      throw new KeyFileError(`Cannot write ${path}: ${reasonOf(error)}`, {
        cause: error,
        ...isThere ? { hint: "choose another folder, or remove it if it is not needed" } : {},
      });
    }
    this.#written.push(path);
  }
}
