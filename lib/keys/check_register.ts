/**
 * @module
 * What may be wrong with the register of secrets. Nothing says which secret belongs to which client, so
 * that its lines can only be counted.
 */
import type { StorePaths } from "../config/settings.ts";
import { sha256 } from "../crypto/digest.ts";
import { count, timeText } from "../prose.ts";
import { attempt, type Finding } from "./findings.ts";
import { readRegisterLines } from "./store_reader.ts";

/** How many lines of each kind there are. */
interface Counts {
  /** Secrets that stay. */
  lasting: number;
  /** Secrets that end by themselves. */
  graced: number;
  /** When the last of those ends, in Unix seconds. */
  graceEnd: number;
  readable: number;
  repeated: number;
  ended: number;
}

/**
 * Checks the register.
 *
 * @param keyCount how many keys are registered
 * @returns what is good to know.
 */
export async function checkRegister(
  { register }: StorePaths,
  { keyCount, nowSeconds }: { keyCount: number; nowSeconds: number },
  findings: Finding[],
): Promise<string[]> {
  const read = await attempt(() => countLines(register, nowSeconds));
  if ("finding" in read) {
    findings.push(read.finding);
    return [];
  }
  const { counts, faults } = read.value;
  for (const { path, state } of faults) {
    const what = `${path}: ${state.replace(", skipped", "")}`;
    findings.push({ level: "wrong", what, remedy: "remove or repair that line" });
  }
  const note = (what: string, remedy: string): void =>
    void findings.push({ level: "note", what: `${register}: ${what}`, remedy });
  const { lasting, graced, graceEnd, readable, repeated, ended } = counts;
  if (repeated > 0) {
    note(`${count(repeated, "line")} repeated`, "remove those lines with an editor");
  }
  if (readable > 0) {
    const remedy = "msp migrate-secrets, unless you may go back to the Python program";
    note(`${count(readable, "secret")} that can be read`, remedy);
  }
  if (lasting > keyCount) {
    note(
      `${
        count(lasting - keyCount, "secret")
      } more than keys: of removed clients, useless without a key`,
      "none is needed; msp rotate-secrets --grace 48 replaces all secrets",
    );
  }
  if (lasting < keyCount) {
    note(
      `${count(lasting, "secret")} for ${count(keyCount, "key")}: protocol v2 needs none, v1 does`,
      "for a client of protocol v1 that is refused: msp removeclient, then msp appendclient",
    );
  }
  const facts: string[] = [];
  if (graced > 0) {
    const end = timeText(graceEnd);
    const are = graced === 1 ? "is" : "are";
    facts.push(`${count(graced, "previous secret")} ${are} accepted until ${end}`);
  }
  if (ended > 0) {
    const are = ended === 1 ? "has" : "have";
    facts.push(`${count(ended, "previous secret")} in ${register} ${are} ended`);
  }
  return facts;
}

async function countLines(
  register: string,
  nowSeconds: number,
): Promise<{ counts: Counts; faults: Awaited<ReturnType<typeof readRegisterLines>> }> {
  const digests = new Set<string>();
  const counts: Counts = {
    lasting: 0,
    graced: 0,
    graceEnd: 0,
    readable: 0,
    repeated: 0,
    ended: 0,
  };
  const faults = await readRegisterLines(register, (line) => {
    if (line.until !== undefined && line.until <= nowSeconds) return void counts.ended++;
    const digest = String(line.kind === "hashed" ? line.digest : sha256(line.secret));
    if (line.kind === "plain") counts.readable++;
    if (digests.has(digest)) return void counts.repeated++;
    digests.add(digest);
    if (line.until === undefined) return void counts.lasting++;
    counts.graced++;
    counts.graceEnd = Math.max(counts.graceEnd, line.until);
  });
  return { counts, faults };
}
