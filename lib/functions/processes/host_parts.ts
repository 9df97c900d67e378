/**
 * @module
 * What a function host is started with.
 */
import type { HostSetup } from "../wire/messages.ts";
import type { HostCommand } from "./process.ts";

/** What a host is started with. */
export interface HostParts extends HostTimes {
  readonly command: HostCommand;
  readonly setup: Omit<HostSetup, "token" | "markHex">;
  /** Whether functions try to use the paths that they were granted, before they load. */
  readonly checksGrants: boolean;
  /** CPU time without a call, after which it is reported. */
  readonly maxIdleCpuMs: number;
  /** Category of log lines for what it writes beside its messages. */
  readonly category: string;
}

/** Time limits; each begins with what it limits. */
export interface HostTimes {
  /** For a module to load, its top-level `await` included. */
  readonly loadTimeoutMs: number;
  /** For a host to say anything, while it has something to load. */
  readonly silenceTimeoutMs: number;
}
