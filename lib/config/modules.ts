/**
 * @module
 * modules.ini → which function comes from which module. A wrong entry costs only its own function.
 */
import { readIni } from "./ini.ts";

/** A function and the module that it comes from. */
export interface ModuleEntry {
  /** Folded to lower case. */
  readonly functionName: string;
  /** A file name in the modules folder, without its ending. */
  readonly moduleName: string;
}

/** The usable entries, and what was wrong with the others. */
export interface ModulesResult {
  readonly entries: readonly ModuleEntry[];
  readonly warnings: readonly string[];
}

/** Longest function name in UTF-8, on the wire too. */
export const MAX_NAME_BYTES = 255;

const SECTION = "Modules";
const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Reads modules.ini.
 *
 * @throws {ConfigError} when the file cannot be read.
 */
export async function readModules(path: string): Promise<ModulesResult> {
  const { options, faults } = await readIni(path);
  const entries: ModuleEntry[] = [];
  const warnings = faults.map(({ line, state }) => `${path}: line ${line} ${state}; skipped`);
  for (const { section, name, value, line } of options) {
    const place = `${path}: line ${line}`;
    if (section !== SECTION) warnings.push(`${place} is in the unknown section [${section}]`);
    else if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
      warnings.push(`${place} has a name of more than ${MAX_NAME_BYTES} bytes; skipped`);
    } else if (!MODULE_NAME.test(value)) {
      warnings.push(
        `${place}: ${name} = ${
          JSON.stringify(value.slice(0, 80))
        }, expected the name of a file in ` +
          "the modules folder, without its ending; skipped",
      );
    } else entries.push({ functionName: name, moduleName: value });
  }
  return { entries, warnings };
}
