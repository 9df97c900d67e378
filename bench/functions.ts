/**
 * @module
 * Calls of a function without HTTP: from `registry.call` to the host, to the worker, and back.
 */
import { join } from "node:path";
import { rememberPermissions } from "../lib/config/permissions.ts";
import { settingsFrom } from "../lib/config/settings.ts";
import { FunctionService } from "../lib/functions/service.ts";

/** What a call costs. */
export interface FunctionFigures {
  /** With 64 calls at any time. */
  readonly callsPerSecond: number;
  /** One after the other. */
  readonly aloneMicroseconds: number;
}

/** Measures with a function that returns a constant. */
export async function runFunctions(folder: string): Promise<FunctionFigures> {
  const modules = join(folder, "modules"), modulesConfig = join(folder, "modules.ini");
  await Deno.mkdir(modules);
  await Deno.writeTextFile(join(modules, "constant.js"), "export const entry_call = () => 'text';");
  await Deno.writeTextFile(modulesConfig, "[Modules]\nconstant=constant\n");
  const { settings } = settingsFrom({ options: [], faults: [] }, "defaults");
  const service = new FunctionService({
    config: join(folder, "config.ini"),
    modulesConfig,
    modules,
    settings,
    isHeld: rememberPermissions(),
  });
  const { registry } = service;
  try {
    await service.load();
    await registry.settled();
    await callMany(registry, 1000, 64);
    const alone = await callMany(registry, 2000, 1);
    const together = await callMany(registry, 200_000, 64);
    return { callsPerSecond: 1000 / together, aloneMicroseconds: alone * 1000 };
  } finally {
    registry.close();
  }
}

/** Milliseconds a call. */
async function callMany(
  registry: FunctionService["registry"],
  count: number,
  atOnce: number,
): Promise<number> {
  let left = count;
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) {
      const result = await registry.call("constant");
      if (!result.ok) throw new Error(`${result.reason}: ${result.error}`);
    }
  }));
  return (performance.now() - start) / count;
}
