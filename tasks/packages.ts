/**
 * @module
 * The npm packages that the program uses when it runs. deno.lock also has those of tests, which do not
 * belong into the executable, its licences or its bill of materials.
 */
import { dirname, join } from "node:path";
import { ROOTS } from "./bundle.ts";
import { repositoryPath } from "./root.ts";

/** A package of deno.lock. */
export interface Package {
  /** Name and version as deno.lock has them, with the versions of peers. */
  readonly key: string;
  readonly name: string;
  readonly version: string;
}

/** The parts of deno.lock that are used here. */
export interface Lock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<
    Record<string, { readonly integrity: string; readonly dependencies?: readonly string[] }>
  >;
}

/** The packages that the program imports, and those that they depend on, in the order of their names. */
export async function programPackages(): Promise<Package[]> {
  const { npm } = await readLock();
  const all = Object.keys(npm).map(parseKey);
  const found = new Set<Package>();
  const add = (name: string): void => {
    for (const each of all.filter((other) => other.name === name && !found.has(other))) {
      found.add(each);
      // A dependency has its version only where there are several.
      npm[each.key]?.dependencies?.forEach((key) => add(key.replace(/(?<=.)@.*$/, "")));
    }
  };
  for (const name of await importedNames()) add(name);
  return all.filter((each) => found.has(each));
}

/** Names without a path that the program's files import, wherever they stand. */
async function importedNames(): Promise<Set<string>> {
  const names = new Set<string>();
  const seen = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = await Deno.readTextFile(repositoryPath(path));
    for (const [, specifier = ""] of text.matchAll(/\b(?:from|import)\b\s*\(?\s*"([^"]+)"/g)) {
      if (!specifier.startsWith(".")) {
        names.add(specifier.split("/", specifier[0] === "@" ? 2 : 1).join("/"));
      } else if (specifier.endsWith(".ts")) await visit(join(dirname(path), specifier));
    }
  };
  for (const root of ROOTS) await visit(root);
  return names;
}

/** A key is name@version_peers. */
function parseKey(key: string): Package {
  const [, name, version] = /^(.+?)@([^_@]+)/.exec(key) ?? [];
  if (name === undefined || version === undefined) throw new Error(`${key} is not a package`);
  return { key, name, version };
}

/** deno.lock. */
export async function readLock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(repositoryPath("deno.lock")));
}

/** deno.json, as far as it is used here. */
export interface Config {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly imports: Readonly<Record<string, string>>;
  readonly unstable: readonly string[];
}

/** deno.json. */
export async function readConfig(): Promise<Config> {
  return JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
}
