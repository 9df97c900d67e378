/**
 * @module
 * Which files a module is made of: itself and what it imports, read from the sources (es-module-lexer),
 * because Deno does not tell what a worker imported, and an executable has no other way to know. The
 * server checks these files for changes, and no others.
 */
import { init, parse } from "es-module-lexer";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { lookAt } from "../../watch.ts";

/** What can change what a module does. */
export interface ModuleGraph {
  /**
   * What was seen of each file before it was read ({@link lookAt}), by absolute path, whether the file
   * exists or not. The module itself comes first.
   */
  readonly files: ReadonlyMap<string, string>;
  /** The same of files that are no code: it may read them while it loads. */
  readonly data: ReadonlyMap<string, string>;
  /** Not every import can be named without running the module: any code beside it may count. */
  readonly isOpen: boolean;
  /** Whether it may start workers: code of it says so, or is not known. */
  readonly mayStartWorkers: boolean;
}

/** What a source imports. */
export interface Imports {
  /** Absolute paths of code. */
  readonly files: readonly string[];
  /** Absolute paths of files that are no code. */
  readonly data: readonly string[];
  readonly isOpen: boolean;
}

/** Files of one module that are followed; a graph that is larger is open. */
const MAX_FILES = 1000;
/** A larger file is watched, but not searched for imports. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Files that can import others. */
const SOURCE = /\.(?:[mc]?[jt]s|[jt]sx)$/;
/** `new URL("./data.json", import.meta.url)`: a worker, or data that is read while the module loads. */
const BESIDE = /\bnew\s+URL\(\s*(["'`])(\.{1,2}\/[^"'`$\n]+)\1\s*,\s*import\.meta\.url\b/g;
/** CommonJS, which leaves endings out. */
const REQUIRE = /\brequire\(\s*(["'`])(\.{1,2}\/[^"'`$\n]+)\1/g;
/** `new Worker`, `import { Worker } from "node:worker_threads"`, and packages that may do so. */
const WORKERS = /\b(?:Worker|worker_threads|require|createRequire)\b/;
const REQUIRE_ENDINGS = ["", ".js", ".cjs", ".json", "/index.js"];

/**
 * The files of a module; never rejects. What cannot be read or parsed is in the list like everything
 * else: once it can be, it has changed.
 *
 * @param entry absolute path of the module
 */
export async function readModuleGraph(entry: string): Promise<ModuleGraph> {
  await init();
  const files = new Map([[entry, ""]]);
  const data = new Map<string, string>();
  let isOpen = false, mayStartWorkers = false;
  for (const path of files.keys()) {
    files.set(path, await lookAt(path));
    const isForeign = path !== entry && path.includes("/node_modules/");
    mayStartWorkers ||= isForeign;
    if (isForeign || !SOURCE.test(path)) continue;
    const source = await readSource(path);
    mayStartWorkers ||= source === "" || WORKERS.test(source);
    const found = importsOf(source, pathToFileURL(path));
    const isTooLarge = files.size + found.files.length + data.size + found.data.length > MAX_FILES;
    isOpen ||= found.isOpen || isTooLarge;
    if (isTooLarge) continue;
    for (const each of found.files) if (!files.has(each)) files.set(each, "");
    for (const each of found.data) data.set(each, await lookAt(each));
  }
  return { files, data, isOpen, mayStartWorkers: mayStartWorkers || isOpen };
}

/** The text of a file; empty when it cannot be read, or is too large. */
async function readSource(path: string): Promise<string> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile && size <= MAX_FILE_BYTES ? await Deno.readTextFile(path) : "";
  } catch {
    return "";
  }
}

/**
 * Which files a source names, and whether it imports any that it does not name.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const source = `import { a } from "./a.js"; import "npm:b"; const c = await import("./" + a);`;
 * assert.deepEqual(importsOf(source, new URL("file:///m/x.js")), {
 *   files: ["/m/a.js"],
 *   data: [],
 *   isOpen: true,
 * });
 * ```
 */
export function importsOf(source: string, base: URL): Imports {
  const specifiers: string[] = [], beside: string[] = [];
  let isOpen = false;
  for (const [, , specifier = ""] of source.matchAll(BESIDE)) {
    (SOURCE.test(specifier) ? specifiers : beside).push(specifier);
  }
  for (const [, , specifier = ""] of source.matchAll(REQUIRE)) {
    specifiers.push(...REQUIRE_ENDINGS.map((ending) => specifier + ending));
  }
  for (const each of parseImports(source)) {
    if (each === undefined) isOpen = true;
    else specifiers.push(each);
  }
  return { files: toPaths(specifiers, base), data: toPaths(beside, base), isOpen };
}

function toPaths(specifiers: readonly string[], base: URL): string[] {
  const paths = specifiers.map((each) => toPath(each, base));
  return [...new Set(paths.filter((path) => path !== undefined))];
}

/** Specifiers; `undefined` for one that only running the module can tell. */
function parseImports(source: string): (string | undefined)[] {
  try {
    return parse(source)[0]
      .filter((each) => each.type !== "import-meta" && !("typeOnly" in each && each.typeOnly))
      .map((each) =>
        each.type === "dynamic" && each.glob ? undefined : each.specifier ?? undefined
      );
  } catch {
    // A syntax error ends with a change of this file; TypeScript that the lexer does not know does not.
    return [undefined];
  }
}

/** The file that a specifier names; `undefined` for a package, a URL or a module of Deno. */
function toPath(specifier: string, base: URL): string | undefined {
  if (!/^(?:\.{0,2}\/|file:)/.test(specifier)) return undefined;
  const url = URL.parse(specifier, base);
  if (url === null || url.protocol !== "file:" || url.host !== "") return undefined;
  try {
    return join(fileURLToPath(url));
  } catch {
    return undefined;
  }
}
