/**
 * @module
 * Looks at a whole installation: configuration, key store, certificate, functions, clock.
 */
import type { IsHeld } from "./config/permissions.ts";
import { inspectSettings, type Overrides, type Settings } from "./config/settings.ts";
import { checkClock } from "./doctor_clock.ts";
import { checkFiles } from "./doctor_files.ts";
import { checkRedis } from "./doctor_redis.ts";
import { checkServer } from "./doctor_server.ts";
import { checkTls } from "./doctor_tls.ts";
import { MspError } from "./errors.ts";
import { describeInstallation, type ServerPaths } from "./first_start.ts";
import { describeFunctions, type FunctionReport } from "./functions/report.ts";
import { describeWall, type Wall } from "./functions/wall/choice.ts";
import { checkStore } from "./keys/check.ts";
import { attempt, type Finding } from "./keys/findings.ts";
import { checkInvites } from "./keys/check_invites.ts";

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

/** Examines an installation. A check that cannot go on is a finding of its own. */
export async function examine(options: DoctorOptions): Promise<Examination> {
  const { paths, overrides, nowSeconds } = options;
  const read = await attempt(() => inspectSettings(paths.config, overrides));
  if ("finding" in read) return { findings: [read.finding], facts: [] };
  const { settings, warnings, faults } = read.value;
  const { cluster, listen: { tls }, store } = settings;
  const { place, isNew } = await describeInstallation(paths, store);
  // A client has a clock, too.
  if (isNew && options.clockUrl !== undefined) {
    const { findings, facts = [] } = await part(() => checkClock(settings, options));
    return { findings, facts };
  }
  if (isNew) {
    const remedy = "run msp doctor in the server's folder, or msp serve to create an installation";
    return { findings: [wrong(`there is no installation in ${place}`, remedy)], facts: [] };
  }
  const parts = [
    await part(() => checkServer(settings, paths.config)),
    {
      findings: [
        ...faults.map(({ message, hint }) => wrong(message, hint ?? "correct that value")),
        ...warnings.map((what) => wrong(what, "correct or remove that line")),
      ],
    },
    await part(() => checkStore(store, nowSeconds)),
    await part(() => checkInvites(store, nowSeconds)),
    await part(() => checkFiles(settings, paths.log)),
    ...tls === undefined ? [] : [await part(() => checkTls(tls, nowSeconds))],
    await part(() => checkClock(settings, options)),
    ...cluster === undefined ? [] : [await part(() => checkRedis(cluster))],
    await part(() => checkFunctions(settings, options)),
  ];
  return {
    findings: parts.flatMap(({ findings }) => findings),
    facts: parts.flatMap(({ facts = [] }) => facts),
  };
}

type Part = Partial<Examination> & Pick<Examination, "findings">;

/** What a check gives, or that it cannot go on: the others do. */
async function part(check: () => Promise<Part | Finding[]>): Promise<Part> {
  const result = await attempt(check);
  if ("finding" in result) return { findings: [result.finding] };
  return Array.isArray(result.value) ? { findings: result.value } : result.value;
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
    findings.push(...reports.flatMap(findingsOf));
    if (wall.kind === "none") findings.push(withoutWall(wall));
    else facts.push(describeWall(wall));
  } catch (error) {
    if (!(error instanceof MspError)) throw error;
    findings.push(wrong(error.message, error.hint ?? "start the server once"));
  }
  return { findings, facts };
}

function findingsOf({ name, fault, unusable = [], unset = [] }: FunctionReport): Finding[] {
  return [
    ...fault === undefined ? [] : [wrong(fault, "see docs/modules.md")],
    ...unusable.map((what) =>
      wrong(`function ${name}: ${what}`, "change its owner or mode, or the grant in modules.ini")
    ),
    // It may be set for the server alone.
    ...unset.map((variable): Finding => ({
      level: "note",
      what: `function ${name}: the variable ${variable} has no value here`,
      remedy: "set it in the environment of the server, and of msp doctor",
    })),
  ];
}

function withoutWall(wall: Wall): Finding {
  const what = `${describeWall(wall)}${wall.isAccepted ? "" : ` (${wall.reason})`}`;
  const remedy = wall.isAccepted
    ? "remove Wall=none from [Functions], or serve only modules that you trust"
    : "serve only modules that you trust; see docs/modules.md for what a wall needs";
  return { level: "note", what, remedy };
}
