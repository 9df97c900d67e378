/**
 * @module
 * The file of a module: which one it is, and why there is none that can be loaded.
 */
import type { FunctionConfig } from "../../config/modules.ts";
import { FunctionError, reasonOf } from "../../errors.ts";

/** Endings of a module's file, in the order in which they are looked for. */
export const ENDINGS = [".ts", ".js", ".mjs"] as const;

/** Whether a module of this name is in the folder, in whatever ending. */
export async function hasModule(folder: string, moduleName: string): Promise<boolean> {
  return (await findModule(folder, moduleName)) !== undefined;
}

/**
 * The path of a module's file.
 *
 * @throws {FunctionError} when there is none that this program can load.
 */
export async function moduleFile(
  folder: string,
  { moduleName }: FunctionConfig,
): Promise<string> {
  const fail = (state: string, hint?: string): never => {
    throw new FunctionError(state, hint === undefined ? {} : { hint });
  };
  const path = await findModule(folder, moduleName) ??
    fail(await describeMissing(folder, moduleName));
  if (path.endsWith(".ts") && !canLoadTypeScript()) {
    return fail(
      `${path} is TypeScript, which this executable (Deno ${Deno.version.deno}) cannot load`,
      "write it as .js, or compile the server with Deno 2.8.2 or newer",
    );
  }
  return path;
}

async function findModule(folder: string, moduleName: string): Promise<string | undefined> {
  for (const ending of ENDINGS) {
    const path = `${folder}/${moduleName}${ending}`;
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw new FunctionError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return undefined;
}

async function describeMissing(folder: string, moduleName: string): Promise<string> {
  const missing = `there is no ${moduleName}${ENDINGS.join(", ")} in ${folder}`;
  const other = await similarFile(folder, moduleName);
  if (other === undefined) return missing;
  const isPython = other.endsWith(".py");
  return `${missing}, but ${other}${isPython ? " (write it again in JavaScript)" : ""}`;
}

/** A file that is named alike, but for its ending or for upper and lower case. */
async function similarFile(folder: string, moduleName: string): Promise<string | undefined> {
  const wanted = moduleName.toLowerCase();
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const stem = name.replace(/\.[^.]*$/, "").toLowerCase();
      if (!isDirectory && (stem === wanted || name.toLowerCase() === wanted)) return name;
    }
  } catch {
    // The message names the folder.
  }
  return undefined;
}

/** A compiled executable loads TypeScript from outside of itself since Deno 2.8.2. */
function canLoadTypeScript(): boolean {
  const [major = 0, minor = 0, patch = 0] = Deno.version.deno.split(".").map(Number);
  return !Deno.build.standalone || major > 2 ||
    (major === 2 && (minor > 8 || minor === 8 && patch >= 2));
}
