/**
 * @module
 * Changes of all secrets at once (store.ts adds single ones).
 */
import type { StorePaths } from "../config/settings.ts";
import { generateSecret, type SecretHex } from "../crypto/keys.ts";
import { StoreError } from "../errors.ts";
import { PRIVATE_MODE, replaceFile } from "../files.ts";
import { hashedLine, parseRegisterLine } from "./secrets.ts";
import { changeStore } from "./store_change.ts";
import { listClientFiles, readRegister } from "./store_reader.ts";

/**
 * Replaces all secrets by fresh ones, as many as there are clients.
 *
 * @param graceSeconds for how long the secrets before stay valid
 * @param show gets the new secrets before anything changes; when it throws, nothing does
 * @returns the new secrets; any of them is valid with any registered key.
 * @throws {StoreError} when the store cannot be changed.
 */
export async function rotateSecrets(
  paths: StorePaths,
  { graceSeconds, nowSeconds, show }: {
    graceSeconds: number;
    nowSeconds: number;
    show: (secrets: readonly SecretHex[]) => void;
  },
): Promise<SecretHex[]> {
  return await changeStore(paths, async () => {
    const until = nowSeconds + graceSeconds;
    const kept = graceSeconds === 0 ? [] : (await registerLines(paths))
      .filter((each) => !each.isComment && (each.until ?? Infinity) > nowSeconds)
      .map((each) => `${each.text} until=${Math.min(each.until ?? Infinity, until)}`);
    const count = (await listClientFiles(paths.clientsFolder)).length;
    const secrets = Array.from({ length: count }, generateSecret);
    const lines = [...kept, ...secrets.map(hashedLine)];
    const text = lines.map((line) => `${line}\n`).join("");
    show(secrets);
    await replaceFile(paths.register, text, { mode: PRIVATE_MODE });
    return secrets;
  });
}

/**
 * Puts the SHA-256 of each secret in its place.
 *
 * @returns how many secrets were replaced.
 * @throws {StoreError} when a line is malformed or the store cannot be changed.
 */
export async function migrateSecrets(paths: StorePaths): Promise<number> {
  return await changeStore(paths, async () => {
    const lines = await registerLines(paths);
    const count = lines.filter(({ isPlain }) => isPlain).length;
    if (count === 0) return 0;
    const text = lines.map(({ text, until }) =>
      until === undefined ? `${text}\n` : `${text} until=${until}\n`
    ).join("");
    await replaceFile(paths.register, text, { mode: PRIVATE_MODE });
    return count;
  });
}

/** A line of the register, without a secret. */
interface SafeLine {
  readonly text: string;
  /** Notes of the operator (`#`). */
  readonly isComment: boolean;
  /** Whether it was a secret. */
  readonly isPlain: boolean;
  readonly until: number | undefined;
}

async function registerLines({ register }: StorePaths): Promise<SafeLine[]> {
  const lines = (await readRegister(register)).split(/\r\n|\n|\r/);
  return lines.flatMap((line, index): SafeLine[] => {
    const trimmed = line.trim();
    if (trimmed === "") return [];
    const isComment = trimmed.startsWith("#");
    if (isComment) return [{ text: trimmed, isComment, isPlain: false, until: undefined }];
    const parsed = parseRegisterLine(line);
    if (parsed === undefined) {
      throw new StoreError(`Cannot change ${register}: line ${index + 1} is not a secret`, {
        hint: "remove or repair that line; msp doctor lists such lines",
      });
    }
    const isPlain = parsed.kind === "plain";
    const text = isPlain ? hashedLine(parsed.secret) : trimmed.split(/\s/)[0] ?? "";
    return [{ text, isComment, isPlain, until: parsed.until }];
  });
}
