/**
 * @module
 * Recognises private keys that stand where public keys belong. 31 of 32 are not public keys of any pair
 * (crypto/public_key.ts); of the others, those are found whose files are near.
 */
import { resolve } from "node:path";
import { formatKey, parsePrivateKey, type PublicKey } from "../crypto/keys.ts";

/** A key file has 44 bytes; what is larger is another kind of file. */
const MAX_FILE_BYTES = 256;

/** The private keys of some folders: their texts, and the files that hold them. */
export class PrivateKeyFiles {
  readonly #paths = new Map<string, string>();

  /** Reads the `*.key` files of some folders; those that cannot be read are passed over. */
  static async read(folders: Iterable<string>): Promise<PrivateKeyFiles> {
    const files = new PrivateKeyFiles();
    for (const folder of new Set([...folders].map((each) => resolve(each)))) {
      for (const path of await keyFilesIn(folder)) {
        const key = parsePrivateKey(await Deno.readTextFile(path).catch(() => ""));
        if (typeof key !== "string") files.#paths.set(formatKey(key), path);
      }
    }
    return files;
  }

  /** The file that holds these bytes as a private key. */
  pathOf(key: PublicKey): string | undefined {
    return this.#paths.get(formatKey(key));
  }
}

async function keyFilesIn(folder: string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const path = resolve(folder, name);
      if (name.toLowerCase().endsWith(".key") && await isKeyFile(path)) paths.push(path);
    }
  } catch {
    // A folder that cannot be read tells nothing.
  }
  return paths;
}

async function isKeyFile(path: string): Promise<boolean> {
  // A link may lead nowhere.
  const info = await Deno.stat(path).catch(() => undefined);
  return info !== undefined && info.isFile && info.size <= MAX_FILE_BYTES;
}
