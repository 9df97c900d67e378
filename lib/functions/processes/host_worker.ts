/**
 * @module
 * What a host runs, as its server sees it: functions that it loads, and their workers.
 */
import { WORKER_FILES } from "../entry.ts";
import type { ServedFunction } from "../function.ts";
import type { HostedFunction, LoadFailure } from "../wire/messages.ts";
import type { OutputLog } from "./output_log.ts";
import type { FunctionPlan } from "../plan/plan.ts";
import type { WorkerSlot } from "../calls/worker_slot.ts";

/** A function that a host loads. */
export interface Load {
  readonly served: ServedFunction;
  readonly plan: FunctionPlan;
}

/** Why a function did not load. */
export interface LoadFault {
  readonly kind: LoadFailure | "timeout";
  /** Completes "modules/x.js …". */
  readonly why: string;
  /** From the beginning of the import. */
  readonly tookMs: number;
}

/** A function that has neither loaded nor failed in every worker; or has, then none is missing. */
export interface LoadInProgress extends Load {
  readonly workers: readonly HostWorker[];
  missing: number;
}

/** One worker; the main thread of a host that runs one function is one, too. */
export interface HostWorker {
  readonly slot: WorkerSlot;
  readonly output: OutputLog;
  readonly load: LoadInProgress;
  beganAtMs?: number;
  timer?: ReturnType<typeof setTimeout>;
}

/** When a worker last began to load, or was called. */
export function usedAtMs({ beganAtMs = 0, slot }: HostWorker): number {
  return Math.max(beganAtMs, slot.calledAtMs);
}

/** Whether a worker gets calls, is waited for, or loads a version that is still wanted. */
export function isNeeded({ slot, load }: HostWorker): boolean {
  const { served, plan, missing } = load;
  return slot.awaited > 0 || served.queue.slots.includes(slot) ||
    missing > 0 && served.plan === plan;
}

/** A plan, as its host is told. */
export function toHosted(
  { config, permissions, moduleUrl }: FunctionPlan,
  checksGrants: boolean,
): HostedFunction {
  const { functionName, instances, maxResultBytes, grants } = config;
  const read = permissions.read === true || [...permissions.read, ...WORKER_FILES];
  const granted = { ...permissions, read };
  const hosted = { functionName, moduleUrl, permissions: granted, instances, maxResultBytes };
  return checksGrants ? { ...hosted, tries: { read: grants.read, write: grants.write } } : hosted;
}
