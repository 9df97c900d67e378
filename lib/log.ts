/**
 * @module
 * Where log records go and what a line looks like: `[time][MSP] LEVEL category: message`, on the
 * console (standard error) and in `latest.log`, rotated. Records are made with {@link logger}; no
 * secret, key or payload may be put into one.
 */
import {
  configure,
  dispose,
  getLogger,
  type Logger,
  type LogLevel,
  type LogRecord,
  reset,
} from "@logtape/logtape";
import { ConfigError, pathOf, reasonOf } from "./errors.ts";
import { openLogFile } from "./log_file.ts";

const ROOT = "msp";
/** Category for what ends the program: the file has it, the console gets the error itself. */
export const FAILURE_CATEGORY = "start";

/** The names of the original's levels, and those of the log library. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "fatal",
};

/** Where and what to log. */
export interface LogSettings {
  /** Folder of latest.log. */
  readonly folder: string;
  readonly level: LogLevel;
  /** Rotated files that are kept beside latest.log. */
  readonly maxFiles: number;
  /** Lines for people (default), or one JSON object a line for programs. */
  readonly format?: "text" | "json";
}

export type { Logger };

/** The logger of a subject, such as `server`. Silent until {@link openLog}. */
export function logger(category: string): Logger {
  return getLogger([ROOT, category]);
}

/**
 * Level and number of files from the environment (MSP_LOGLEVEL, MSP_MAXLOGS).
 *
 * @throws {ConfigError} naming the variable and what is expected.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(logSettingsFrom({ MSP_LOGLEVEL: "warning" }), { level: "warning", maxFiles: 5 });
 * ```
 */
export function logSettingsFrom(
  env: Readonly<Record<string, string | undefined>>,
): Omit<LogSettings, "folder"> {
  const levelText = env["MSP_LOGLEVEL"] ?? "INFO";
  const level = LEVELS[levelText.toUpperCase()];
  if (level === undefined || !Object.hasOwn(LEVELS, levelText.toUpperCase())) {
    throw new ConfigError(
      `Cannot use MSP_LOGLEVEL = ${JSON.stringify(levelText)}, expected one of ${
        Object.keys(LEVELS).join(", ")
      }`,
    );
  }
  const maxFilesText = env["MSP_MAXLOGS"] ?? "5";
  if (!/^\d{1,3}$/.test(maxFilesText)) {
    throw new ConfigError(
      `Cannot use MSP_MAXLOGS = ${
        JSON.stringify(maxFilesText)
      }, expected a whole number from 0 to 999`,
    );
  }
  return { level, maxFiles: Number(maxFilesText) };
}

/**
 * Starts logging; makes the folder where absent (mode 0750: addresses are in there).
 *
 * @returns whether the folder had to be made.
 * @throws {ConfigError} when the log cannot be written.
 */
export async function openLog(
  { folder, level, maxFiles, format = "text" }: LogSettings,
): Promise<boolean> {
  const formatter = format === "json" ? formatJson : formatRecord;
  try {
    const { file, wasMade } = await openLogFile(folder, { formatter, maxFiles });
    await configure({
      sinks: { file, console: (record) => writeToStderr(formatter(record)) },
      loggers: [
        { category: ROOT, lowestLevel: level, sinks: ["file", "console"] },
        { category: [ROOT, FAILURE_CATEGORY], sinks: ["file"], parentSinks: "override" },
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["console"] },
      ],
      reset: true,
    });
    return wasMade;
  } catch (error) {
    throw new ConfigError(`Cannot write the log, ${pathOf(error) ?? folder}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Shows records of INFO and above on the console, for a command that has no log. */
export async function showLog(): Promise<void> {
  await configure({
    sinks: { console: (record) => writeToStderr(formatRecord(record)) },
    loggers: [
      { category: ROOT, lowestLevel: "info", sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["console"] },
    ],
    reset: true,
  });
}

/** Writes what is still in memory and stops logging. */
export async function closeLog(): Promise<void> {
  await dispose();
  await reset();
}

/**
 * A record as one line. Control characters in it are escaped: nobody can forge a second line.
 */
export function formatRecord(record: LogRecord): string {
  const level = levelName(record.level);
  const message = record.message.map(String).join("").replace(CONTROL_CHARACTERS, escapeCharacter);
  const category = record.category.slice(1).join(".").replace(CONTROL_CHARACTERS, escapeCharacter);
  return `[${formatTime(new Date(record.timestamp))}][MSP] ${level} ${category}: ${message}\n`;
}

/** A record as one JSON object on a line, with what its message is made of. */
export function formatJson(record: LogRecord): string {
  const { timestamp, level, category, message, properties } = record;
  const object = {
    "@timestamp": new Date(timestamp).toISOString(),
    level: levelName(level),
    logger: category.join("."),
    message: message.map(String).join(""),
    properties,
  };
  return `${JSON.stringify(object)}\n`;
}

function levelName(level: LogLevel): string {
  return Object.keys(LEVELS).find((name) => LEVELS[name] === level) ?? "DEBUG";
}

/**
 * Local time in the form of Python's logging: `2024-03-30 11:34:46,540`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatTime(new Date(2024, 2, 30, 11, 34, 46, 54)), "2024-03-30 11:34:46,054");
 * ```
 */
export function formatTime(date: Date): string {
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0");
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part));
  return `${day} ${time.join(":")},${pad(date.getMilliseconds(), 3)}`;
}

// deno-lint-ignore no-control-regex -- these are what must not reach the log
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function writeToStderr(line: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(line));
  } catch {
    // A closed terminal or pipe must not stop the server; the file has the line.
  }
}
