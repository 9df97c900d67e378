/**
 * @module
 * When each client last called, across restarts: only with [Log] Calls=yes, because it says who uses the
 * server. A file in the state folder, one line a client: its public key and the Unix time in seconds.
 */
import { join } from "node:path";

import { reasonOf } from "./errors.ts";
import { PRIVATE_MODE, removeIfThere, replaceFile } from "./files.ts";
import { keepWithin } from "./limits/bounded_map.ts";
import { type Called, type Observer, SILENT } from "./observer.ts";

const NAME = "last-use";
/** Clients that are remembered, 150 bytes each; the one unused for longest is forgotten. */
const MAX_CLIENTS = 100_000;
/** A crash forgets so much. */
const SAVE_MS = 60_000;

/** How last uses are kept. */
export interface LastUseOptions {
  /** The state folder. */
  readonly folder: string;
  readonly observer: Pick<Observer, "fault" | "recovered">;
  readonly saveMs?: number;
  readonly nowSeconds?: () => number;
}

/** Remembers last uses until it is closed. */
export class LastUse {
  readonly #options: LastUseOptions;
  readonly #path: string;
  readonly #uses: Map<string, number>;
  readonly #timer: ReturnType<typeof setInterval>;
  #isChanged = false;
  #isFailing = false;

  private constructor(options: LastUseOptions, uses: Map<string, number>) {
    this.#options = options;
    this.#path = join(options.folder, NAME);
    this.#uses = uses;
    this.#timer = setInterval(() => this.#save(), options.saveMs ?? SAVE_MS);
  }

  /** Goes on from what an earlier server wrote. */
  static async open(options: LastUseOptions): Promise<LastUse> {
    return new LastUse(options, await readLastUse(options.folder));
  }

  /** Removes what an earlier server wrote. */
  static async forget(folder: string): Promise<void> {
    await removeIfThere(join(folder, NAME)).catch(() => {});
  }

  /** An observer that notes each call, also one that was refused. */
  get observer(): Observer {
    return { ...SILENT, called: (event) => this.#note(event) };
  }

  /** Writes what is new, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#save();
  }

  #note({ client: { publicKeyBase64 } }: Called): void {
    const now = this.#options.nowSeconds?.() ?? Math.floor(Date.now() / 1000);
    // The map is in the order of use.
    this.#uses.delete(publicKeyBase64);
    this.#uses.set(publicKeyBase64, now);
    keepWithin(this.#uses, MAX_CLIENTS);
    this.#isChanged = true;
  }

  async #save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const lines = Array.from(this.#uses, ([key, seconds]) => `${key} ${seconds}\n`);
    const { observer } = this.#options;
    try {
      await replaceFile(this.#path, lines.join(""), { mode: PRIVATE_MODE });
      if (this.#isFailing) observer.recovered("state", `${this.#path} can be written again`);
      this.#isFailing = false;
    } catch (error) {
      this.#isChanged = true;
      if (!this.#isFailing) {
        observer.fault(
          "state",
          `Cannot write ${this.#path}: ${reasonOf(error)}; tried again later`,
        );
      }
      this.#isFailing = true;
    }
  }
}

/** Unix times in seconds by public key, as far as a server has written them; empty without the file. */
export async function readLastUse(folder: string): Promise<Map<string, number>> {
  const text = await Deno.readTextFile(join(folder, NAME)).catch(() => "");
  const lines = text.split("\n").map((line) => /^(\S{44}) (\d{1,12})$/.exec(line));
  return new Map(lines.flatMap((found) => {
    const [, key = "", seconds] = found ?? [];
    return seconds === undefined ? [] : [[key, Number(seconds)] as const];
  }));
}
