/**
 * @module
 * What a client may do, compiled once from the rules of its files (rules.ts): asking costs a call about a
 * microsecond at most, however many clients have rules. Where several files hold one key, all of them must
 * allow. calls.ts asks.
 */
import { BlockList, isIP } from "node:net";
import type { RefusalCode } from "../refusals.ts";
import type { ClientRules, Rate } from "./rules.ts";

/** Why a client may not send requests now. */
export type ClientBar = Extract<RefusalCode, "client_expired" | "client_source">;

/** The rules of one client. Holds a date for each rate, and nothing that grows. */
export class ClientPolicy {
  readonly #functions: readonly FunctionPatterns[];
  readonly #networks: readonly BlockList[];
  readonly #rates: readonly RateLimit[];
  /** For counting for several servers. */
  readonly rates: readonly Rate[];
  readonly #expiresAtSeconds: number;
  /** Clients rarely move, and a look-up takes 5 µs. */
  #lastAddress = "";
  #isLastAllowed = false;

  /** @param all the rules of each file that holds the client's key */
  constructor(all: readonly ClientRules[]) {
    this.#functions = defined(all.map(({ functions }) => functions)).map(compilePatterns);
    this.#networks = defined(all.map(({ from }) => from)).map(networksOf);
    this.rates = defined(all.map(({ rate }) => rate));
    this.#rates = this.rates.map((rate) => new RateLimit(rate));
    this.#expiresAtSeconds = Math.min(...all.map((rules) => rules.expiresAtSeconds ?? Infinity));
  }

  /** Whether the client may call a function. @param functionName in lower case */
  mayCall(functionName: string): boolean {
    if (this.#functions.length === 0) return true;
    const name = composed(functionName);
    return this.#functions.every((patterns) => patterns.allow(name));
  }

  /**
   * Why no request of the client is answered now; `undefined` when they are.
   *
   * @param address of the sender; `local` for the peer of a Unix socket
   */
  bars({ address, nowSeconds }: { address: string; nowSeconds: number }): ClientBar | undefined {
    if (nowSeconds >= this.#expiresAtSeconds) return "client_expired";
    if (this.#networks.length > 0 && !this.#mayComeFrom(address)) return "client_source";
    return undefined;
  }

  /**
   * Counts a call against the client's rate.
   *
   * @param nowMs never backwards
   * @returns 0 when it may be made, or the milliseconds after which it may; then it was not counted
   */
  count(nowMs: number): number {
    if (this.#rates.length === 0) return 0;
    const waitMs = Math.max(...this.#rates.map((rate) => rate.waitMs(nowMs)));
    if (waitMs <= 0) { for (const rate of this.#rates) rate.take(nowMs); }
    return Math.max(0, waitMs);
  }

  #mayComeFrom(address: string): boolean {
    if (address !== this.#lastAddress) {
      this.#lastAddress = address;
      this.#isLastAllowed = isIP(address) !== 0 &&
        this.#networks.every((each) => each.check(address, family(address)));
    }
    return this.#isLastAllowed;
  }
}

/** Allows everything. */
export const NO_RULES: ClientPolicy = new ClientPolicy([]);

/** Whether rules allow everything. */
export function isOpen({ functions, expiresAtSeconds, from, rate }: ClientRules): boolean {
  return functions === undefined && expiresAtSeconds === undefined && from === undefined &&
    rate === undefined;
}

/** Names and patterns of one `functions` rule. */
interface FunctionPatterns {
  allow(functionName: string): boolean;
}

/** One spelling (Unicode NFC) of a name: what looks like a name that is denied is denied. */
function composed(name: string): string {
  return name.normalize("NFC");
}

function compilePatterns(written: readonly string[]): FunctionPatterns {
  const patterns = written.map(composed);
  const denied = new NameSet(
    patterns.filter((each) => each.startsWith("!")).map((each) => each.slice(1)),
  );
  const allowed = patterns.filter((each) => !each.startsWith("!"));
  // A list that only denies allows the rest.
  const names = new NameSet(allowed.length === 0 ? ["*"] : allowed);
  return { allow: (functionName) => !denied.has(functionName) && names.has(functionName) };
}

/** Names that are written out, and patterns in which `*` stands for any characters. */
class NameSet {
  readonly #names: ReadonlySet<string>;
  readonly #globs: readonly (readonly string[])[];

  constructor(patterns: readonly string[]) {
    this.#names = new Set(patterns.filter((each) => !each.includes("*")));
    this.#globs = patterns.filter((each) => each.includes("*")).map((each) => each.split("*"));
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#globs.some((parts) => matches(parts, name));
  }
}

/**
 * Whether a name is the parts in their order, with anything between two of them. Takes time in proportion
 * to the name, whatever the parts: the first fit of each part leaves the most for those that follow.
 */
function matches([first = "", ...others]: readonly string[], name: string): boolean {
  const last = others.pop() ?? "";
  if (name.length < first.length + last.length) return false;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** A leaky bucket, as the time at which it is empty: a whole period's calls fit into it. */
class RateLimit {
  readonly #periodMs: number;
  readonly #intervalMs: number;
  #emptyAtMs = -Infinity;

  constructor({ calls, perSeconds }: Rate) {
    this.#periodMs = perSeconds * 1000;
    this.#intervalMs = this.#periodMs / calls;
  }

  /** Milliseconds until a call fits; 0 or less when it does. */
  waitMs(nowMs: number): number {
    // A rest below a microsecond is the error of the division.
    const waitMs = this.#emptyAtMs + this.#intervalMs - this.#periodMs - nowMs;
    return waitMs < 0.001 ? 0 : waitMs;
  }

  take(nowMs: number): void {
    this.#emptyAtMs = Math.max(this.#emptyAtMs, nowMs) + this.#intervalMs;
  }
}

function networksOf(from: readonly string[]): BlockList {
  const list = new BlockList();
  for (const each of from) {
    const [address = "", prefix] = each.split("/");
    if (prefix === undefined) list.addAddress(address, family(address));
    else list.addSubnet(address, Number(prefix), family(address));
  }
  return list;
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

function defined<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((each) => each !== undefined);
}
