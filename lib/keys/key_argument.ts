/**
 * @module
 * A public key as people hand it over: the text itself, a file, or standard input.
 */
import { resolve } from "node:path";
import { KEY_TEXT_LENGTH, parsePublicKey, type PublicKey } from "../crypto/keys.ts";
import { reasonOf, StoreError } from "../errors.ts";

/** More than any text that is meant to be a key. */
const MAX_BYTES = 4096;
const HINT = `pass the client's NAME.pub, or its content: ${KEY_TEXT_LENGTH} base64 characters`;

/**
 * The public key that an argument stands for.
 *
 * @param argument the text of a key, the path of a file, or `-` for standard input
 * @param readInput reads standard input
 * @throws {StoreError} when it is not a key, or the file of a private key.
 */
export async function readKeyArgument(
  argument: string,
  readInput: (maxBytes: number) => Promise<Uint8Array | undefined>,
): Promise<PublicKey> {
  if (argument === "-") {
    const bytes = await readInput(MAX_BYTES);
    const key = bytes === undefined
      ? `longer than ${MAX_BYTES} bytes`
      : parsePublicKey(new TextDecoder().decode(bytes));
    return expectKey(key, "standard input");
  }
  const key = parsePublicKey(argument);
  if (typeof key !== "string") return key;
  const path = await pathOf(argument);
  if (path === undefined) return expectKey(key, undefined);
  if (/\.key$/i.test(path)) {
    throw new StoreError(
      `Cannot register ${path}: it is a private key, which stays on the client`,
      {
        hint: `pass ${path.replace(/\.key$/i, ".pub")}`,
      },
    );
  }
  return expectKey(parsePublicKey(await readFile(path)), path);
}

/** The absolute path of a file that is there; `undefined` when an argument is not the name of a file. */
async function pathOf(argument: string): Promise<string | undefined> {
  const isName = argument !== "" && argument.length < MAX_BYTES && !/[\n\r\0]/.test(argument);
  if (!isName) return undefined;
  const path = resolve(argument);
  try {
    // A link may lead to NAME.key.
    return await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw cannotRead(path, error);
    if (!/\.(?:pub|key|txt)$/i.test(argument)) return undefined;
    throw cannotRead(path, error);
  }
}

async function readFile(path: string): Promise<string> {
  try {
    const file = await Deno.open(path);
    return new TextDecoder().decode(await readStart(file.readable));
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): StoreError {
  const hint = error instanceof Deno.errors.NotFound
    ? HINT
    : `pass its content: msp appendclient - < ${path}`;
  return new StoreError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error, hint });
}

/** The first bytes of a stream, a few more than a key can have: it may have no end. */
async function readStart(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const bytes: number[] = [];
  for await (const chunk of stream) {
    bytes.push(...chunk.subarray(0, MAX_BYTES));
    if (bytes.length > MAX_BYTES) break;
  }
  return Uint8Array.from(bytes);
}

function expectKey(key: PublicKey | string, source: string | undefined): PublicKey {
  if (typeof key !== "string") return key;
  const what = source === undefined ? "the text is" : `the text of ${source} is`;
  throw new StoreError(`Cannot register this key: ${what} ${key}`, { hint: HINT });
}
