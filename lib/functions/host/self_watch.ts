/**
 * @module
 * What a function host tells the server of itself: memory beyond its limit, CPU time, and that it is
 * still there.
 */
import process from "node:process";
import type { FromHost } from "../wire/messages.ts";

const CPU_INTERVAL_MS = 1000;
/** Share of a core below which a host counts as quiet. */
const QUIET_CPU_SHARE = 0.1;

/** Says what the server has to know; the server decides. */
export type Tell = (message: FromHost) => void;

/** What is watched of the memory of this process. */
export interface MemoryWatch {
  /** Time between two looks. */
  readonly everyMs: number;
  /** Resident memory that it may have. */
  readonly mostBytes: () => number;
}

/** Tells once when the process has more memory than it may have. */
export function watchMemory({ everyMs, mostBytes }: MemoryWatch, tell: Tell): void {
  const { memoryUsage } = Deno;
  const timer = setInterval(() => {
    const { rss } = memoryUsage();
    if (rss <= mostBytes()) return;
    clearInterval(timer);
    // The server ends this process.
    tell(["memory", rss]);
  }, everyMs);
}

/** Tells the CPU time of each second in which much was used: the server knows whether that was for calls. */
export function watchCpu(tell: Tell): void {
  const cpu = new CpuWatch();
  setInterval(() => {
    const usedMs = cpu.take();
    if (usedMs >= QUIET_CPU_SHARE * CPU_INTERVAL_MS) tell(["cpu", usedMs]);
  }, CPU_INTERVAL_MS);
}

/** Tells so often that the process is there and runs. */
export function giveLifeSigns(everyMs: number, tell: Tell): void {
  setInterval(() => tell(["alive", 0]), everyMs);
}

/** CPU time of this process. */
class CpuWatch {
  readonly #usage = process.cpuUsage;
  #last = this.#usage();

  /** Milliseconds since the last time. */
  take(): number {
    const { user, system } = this.#usage();
    const usedMs = (user + system - this.#last.user - this.#last.system) / 1000;
    this.#last = { user, system };
    return Math.round(usedMs);
  }
}
