/**
 * @module
 * Where a path leads: through links, to what is protected, to which file or folder.
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { FunctionError, reasonOf } from "../../errors.ts";

/** Entries of a folder that are searched for links. */
const MAX_ENTRIES = 10_000;

/** What must not be reached. */
export interface ProtectedPaths {
  /** Files and folders of the key store and the configuration. */
  readonly protectedPaths: readonly string[];
  /** Folder of the modules, which may be in a folder of the configuration. */
  readonly modules: string;
  /** modules.ini, which may be among the modules: it holds no secret. */
  readonly modulesConfig: string;
  /** Whether links below the path count. */
  readonly hasLinks: boolean;
}

/** What is protected and can be reached through a path; `undefined` when nothing is. */
export async function leadsToProtected(
  path: string,
  { protectedPaths, modules, modulesConfig, hasLinks }: ProtectedPaths,
): Promise<string | undefined> {
  const places = [path, await realPath(path), ...hasLinks ? await linkTargets(path) : []];
  const modulesFolder = await realPath(resolve(modules));
  for (const each of protectedPaths) {
    const mayBeAmong = each === modulesConfig && places.includes(modulesFolder);
    for (const kept of [resolve(each), await realPath(resolve(each))]) {
      const isAround = isWithin(modulesFolder, kept);
      const isReached = (place: string): boolean =>
        !mayBeAmong && isWithin(kept, place) || !isAround && isWithin(place, kept);
      if (places.some(isReached)) return each;
    }
  }
  return undefined;
}

/** Whether a path is a folder or below it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || way !== ".." && !way.startsWith("../") && !way.startsWith("/");
}

/** The path without links; of what does not exist, as far as it does. */
export async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPath(parent), basename(path));
  }
}

/** Where links below a folder lead, when that is outside of it; links there count too. */
export async function outsideTargets(folder: string): Promise<string[]> {
  const home = await realPath(folder);
  const found = new Set<string>();
  const folders = [folder];
  for (let each = folders.pop(); each !== undefined; each = folders.pop()) {
    for (const target of await linkTargets(each)) {
      if (isWithin(target, home) || found.has(target) || found.size >= MAX_ENTRIES) continue;
      if (!await exists(target)) continue;
      found.add(target);
      folders.push(target);
    }
  }
  return [...found];
}

/** Which file or folder is at a path now; links are followed. */
export async function lookAtObject(path: string): Promise<string> {
  try {
    const { dev, ino } = await Deno.stat(path);
    return `${path} ${dev}:${ino}`;
  } catch (error) {
    return `${path} ${error instanceof Error ? error.name : error}`;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Where the links in a folder lead. */
async function linkTargets(path: string): Promise<string[]> {
  const targets: string[] = [];
  const folders = [path];
  let count = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (++count > MAX_ENTRIES) return targets;
        const place = join(folder, entry.name);
        if (entry.isSymlink) targets.push(await realPath(place));
        else if (entry.isDirectory) folders.push(place);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      if (error instanceof Deno.errors.NotADirectory) continue;
      if (folder !== path) continue;
      if (error instanceof Deno.errors.NotCapable) continue;
      throw new FunctionError(`Cannot read ${folder}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return targets;
}
