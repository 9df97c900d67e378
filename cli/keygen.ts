/**
 * @module
 * `msp keygen`: key files for a client or a server.
 */
import {
  generateKeyPairFiles,
  type GenerateOptions,
  generatePrivateKeyFile,
  generatePublicKeyFile,
} from "../lib/crypto/key_file.ts";
import { UsageError } from "../lib/errors.ts";
import { type Command, parseArguments } from "./command.ts";

/** The kinds of keygen: what is made, and how. */
const KINDS: Readonly<
  Record<
    string,
    { endings: string[]; make: (name: string, options: GenerateOptions) => Promise<unknown> }
  >
> = {
  private: { endings: [".key"], make: generatePrivateKeyFile },
  public: { endings: [".pub"], make: generatePublicKeyFile },
  pair: { endings: [".key", ".pub"], make: generateKeyPairFiles },
};

/** The subcommand. */
export const keygen: Command = {
  name: "keygen",
  usage: "keygen private|public|pair NAME [--force]",
  summary: "make key files: NAME.key, NAME.pub",
  details: `  private    makes NAME.key, which only its owner can read
  public     makes NAME.pub from an existing NAME.key
  pair       makes both
  --force    replaces existing files; the old key is then lost

NAME may hold a folder, which must exist.`,
  example: "msp keygen pair client",
  async run(args, io): Promise<number> {
    const { values, positionals } = parseArguments(keygen, args, {
      options: { force: { type: "boolean" } },
      positionals: ["private, public or pair", "NAME"],
    });
    const [kindName = "", name = ""] = positionals;
    const kind = Object.hasOwn(KINDS, kindName) ? KINDS[kindName] : undefined;
    if (kind === undefined) {
      throw new UsageError(
        `Cannot run keygen: ${JSON.stringify(kindName)}, expected private, public or pair`,
        { hint: `usage: msp ${keygen.usage}` },
      );
    }
    if (name === "" || /[\\/]$/.test(name)) {
      throw new UsageError("Cannot run keygen: NAME is empty, expected the name of the files");
    }
    await kind.make(name, { force: values["force"] === true });
    for (const ending of kind.endings) io.out(`Generated: ${name}${ending}\n`);
    return 0;
  },
};
