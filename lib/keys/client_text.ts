/**
 * @module
 * How a client's file is written: its first line is the public key, as the original reads it; rules and
 * comments follow (rules.ts, store_reader.ts). Changes keep the lines that they are not about.
 */
import { formatKey, type PublicKey } from "../crypto/keys.ts";
import { type ClientRules, formatRules, parseRules, RULE_NAMES, type RuleFault } from "./rules.ts";
import type { ClientFile } from "./store_reader.ts";

const LINE_END = /\r\n|\n|\r/;
/** What says who the client is, and not what it may do. */
const KEPT_BY_CLEAR: readonly string[] = ["name", "added"];

/** What a client's file says beside its key. */
export interface RulesFound {
  /** Where one of them cannot be used: name and added only, which help to repair the file. */
  readonly rules: ClientRules;
  /** The first rule that cannot be used: the server refuses the key then. */
  readonly fault?: RuleFault;
}

/** The rules of a file, or those of them that say who the client is. */
export function rulesFound(text: string, { rules: parsed }: ClientFile): RulesFound {
  if (parsed.ok) return { rules: parsed.rules };
  const lines = text.split(LINE_END).filter((line) => KEPT_BY_CLEAR.includes(ruleOf(line) ?? ""));
  const named = parseRules(["", ...lines].join("\n"));
  return { rules: named.ok ? named.rules : {}, fault: parsed.fault };
}

/** The text of a new file. */
export function formatClientFile(publicKey: PublicKey, rules: ClientRules): string {
  const lines = formatRules(rules);
  return lines === "" ? formatKey(publicKey) : `${formatKey(publicKey)}\n${lines}`;
}

/** Rules by name that are to change: a new value, or nothing to remove the rule. */
export type RuleChange = ReadonlyMap<string, string | undefined>;

/**
 * The text of a file after a change of rules. Other lines stay, and so do comments; a changed rule keeps
 * its line.
 *
 * @param isCleared every rule is removed first, except name and added; malformed lines are, too
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const text = "KEY\n# Anna\nrate = 1/s\nname = a\n";
 * const change = new Map([["name", "b"], ["rate", undefined], ["expires", "2027-03-01"]]);
 * assert.equal(changeRules(text, { change }), "KEY\n# Anna\nname = b\nexpires = 2027-03-01\n");
 * assert.equal(changeRules(text, { change: new Map(), isCleared: true }), "KEY\n# Anna\nname = a\n");
 * ```
 */
export function changeRules(
  text: string,
  { change, isCleared = false }: { readonly change: RuleChange; readonly isCleared?: boolean },
): string {
  const [key = "", ...lines] = text.trim().split(LINE_END);
  const left = new Map(change);
  const kept = lines.flatMap((line) => {
    const name = ruleOf(line);
    if (name !== undefined && change.has(name)) {
      const value = left.get(name);
      left.delete(name);
      return value === undefined ? [] : [`${name} = ${value}`];
    }
    return isCleared && isRemovedByClear(line, name) ? [] : [line];
  });
  const added = [...left].flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} = ${value}`]
  );
  return `${[key, ...kept, ...added].join("\n").trimEnd()}\n`;
}

/** The rule that a line gives; `undefined` for comments, empty lines, and lines that are not rules. */
function ruleOf(line: string): string | undefined {
  const name = /^([^=]*)=/.exec(line.trim())?.[1]?.trim().toLowerCase() ?? "";
  return RULE_NAMES.includes(name) ? name : undefined;
}

function isRemovedByClear(line: string, name: string | undefined): boolean {
  if (name !== undefined && KEPT_BY_CLEAR.includes(name)) return false;
  return name !== undefined || !/^\s*(?:#|$)/.test(line);
}
