/**
 * @module
 * `msp keygen`: key files for a client or a server.
 */
import { fingerprintOf } from "../lib/crypto/digest.ts";
import {
  generateKeyPairFiles,
  type GenerateOptions,
  generatePrivateKeyFile,
  generatePublicKeyFile,
  readPublicKey,
} from "../lib/crypto/key_file.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { UsageError } from "../lib/errors.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";

/** What can be created, and how. */
interface KeyKind {
  readonly endings: readonly string[];
  readonly make: (name: string, options: GenerateOptions) => Promise<unknown>;
}

const KINDS: ReadonlyMap<string, KeyKind> = new Map([
  ["private", { endings: [".key"], make: generatePrivateKeyFile }],
  ["public", { endings: [".pub"], make: generatePublicKeyFile }],
  ["pair", { endings: [".key", ".pub"], make: generateKeyPairFiles }],
]);

const TEXTS = {
  name: "keygen",
  summary: "create key files: NAME.key, NAME.pub",
  args: ["private|public|pair", "NAME"],
  flags: { force: { meaning: "replace existing files; the old key is then lost" } },
  description: `private creates NAME.key, which only its owner can read.
public creates NAME.pub from an existing NAME.key.
pair creates both.

NAME may hold a folder, which must exist.`,
  example: "msp keygen pair client",
} as const satisfies CommandTexts;

/** The command. */
export const keygen = defineCommand({
  ...TEXTS,
  async run({ flags, args: [kindName = "", name = ""] }, io): Promise<number> {
    const kind = KINDS.get(kindName);
    if (kind === undefined) {
      throw wrongUsage(TEXTS, `${JSON.stringify(kindName)}, expected private, public or pair`);
    }
    if (name === "" || /[\\/]$/.test(name)) {
      throw new UsageError("Cannot run keygen: NAME is empty, expected the name of the files");
    }
    await kind.make(name, { force: flags.force });
    for (const ending of kind.endings) io.out(`Generated: ${name}${ending}\n`);
    if (kind.endings.includes(".pub")) {
      const key = await readPublicKey(`${name}.pub`);
      io.note(`fingerprint ${fingerprintOf(key)}`);
      io.note(`next, on the server: msp appendclient ${formatKey(key)}`);
    } else io.note(`next: msp keygen public ${name}`);
    return 0;
  },
});
