/**
 * @module
 * Looks at a whole installation: configuration, key store, certificate, functions, clock.
 */
import { dirname } from "node:path";
import type { IsHeld } from "./config/permissions.ts";
import { inspectSettings, type Overrides, type Settings } from "./config/settings.ts";
import { checkClock } from "./doctor_clock.ts";
import { checkTls } from "./doctor_tls.ts";
import { MspError, reasonOf } from "./errors.ts";
import { isFolder } from "./files.ts";
import type { ServerPaths } from "./first_start.ts";
import { describeFunctions } from "./functions/service.ts";
import { describeWall, type Wall } from "./functions/wall/choice.ts";
import { attempt, checkStore, type Finding } from "./keys/check.ts";

/** What the doctor needs. */
export interface DoctorOptions {
  readonly paths: ServerPaths;
  readonly overrides: Overrides;
  readonly isHeld: IsHeld;
  readonly nowSeconds: number;
  /** A server whose clock is compared with that of this machine. */
  readonly clockUrl?: URL | undefined;
}

/** What an examination says. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** What is as it should be, and good to know. */
  readonly facts: readonly string[];
}

/** Examines an installation. */
export async function examine(options: DoctorOptions): Promise<Examination> {
  const { paths, overrides, nowSeconds } = options;
  const findings: Finding[] = [];
  const read = await attempt(() => inspectSettings(paths.config, overrides));
  if ("finding" in read) return { findings: [read.finding], facts: [] };
  const { settings, warnings, faults } = read.value;
  findings.push(...faults.map(({ message, hint }) => wrong(message, hint ?? "correct that value")));
  findings.push(...warnings.map((what) => wrong(what, "correct or remove that line")));
  findings.push(...await checkStore(settings.store, nowSeconds));
  const { tls } = settings.listen;
  if (tls !== undefined) findings.push(...await checkTls(tls, nowSeconds));
  findings.push(...await checkClock(settings, options));
  const functions = await checkFunctions(settings, options);
  findings.push(...functions.findings);
  findings.push(...await checkLog(paths));
  return { findings, facts: functions.facts };
}

function wrong(what: string, remedy: string): Finding {
  return { level: "wrong", what, remedy };
}

async function checkFunctions(
  settings: Settings,
  { paths, isHeld }: DoctorOptions,
): Promise<Examination> {
  const findings: Finding[] = [];
  const facts: string[] = [];
  try {
    const { reports, warnings, wall } = await describeFunctions({ ...paths, settings, isHeld });
    findings.push(...warnings.map((what) => wrong(what, "correct or remove that line")));
    for (const { fault } of reports) {
      if (fault !== undefined) findings.push(wrong(fault, "see docs/modules.md"));
    }
    if (wall.kind === "none") findings.push(withoutWall(wall));
    else facts.push(describeWall(wall));
  } catch (error) {
    if (!(error instanceof MspError)) throw error;
    findings.push(wrong(error.message, error.hint ?? "start the server once"));
  }
  return { findings, facts };
}

function withoutWall(wall: Wall): Finding {
  const what = `${describeWall(wall)}${wall.isAccepted ? "" : ` (${wall.reason})`}`;
  const remedy = wall.isAccepted
    ? "remove Wall=none from [Functions], or serve only modules that you trust"
    : "serve only modules that you trust; see docs/modules.md for what a wall needs";
  return { level: "note", what, remedy };
}

async function checkLog({ log }: ServerPaths): Promise<Finding[]> {
  try {
    const folder = await isFolder(log) ? log : dirname(log);
    const mode = (await Deno.stat(folder)).mode ?? 0;
    if (folder !== log || (mode & 0o002) === 0) return [];
    return [wrong(`${log} can be written by everybody`, `chmod o-w ${log}`)];
  } catch (error) {
    return [wrong(`Cannot look at ${log}: ${reasonOf(error)}`, "check --log-dir")];
  }
}
