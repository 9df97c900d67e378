/**
 * @module
 * What a start makes where it is missing: configuration, demo module, key store. What exists is
 * never touched.
 */
import { dirname, join, resolve } from "node:path";
import { configText } from "./config/config_text.ts";
import { readModules } from "./config/modules.ts";
import type { Settings, StorePaths } from "./config/settings.ts";
import { MODULES_INI, SIMPLE_TIME_JS } from "./config/shipped.ts";
import type { KeyPair } from "./crypto/keys.ts";
import { ConfigError, reasonOf } from "./errors.ts";
import { createFile, ensureFolder, exists } from "./files.ts";
import { hasModule } from "./functions/plan/module_file.ts";
import { ensureServerKeys, SERVER_PAIRS, serverKeyPath } from "./keys/server_keys.ts";
import { ensureFolders, ensureRegister } from "./keys/store_files.ts";
import { listClientFiles } from "./keys/store_reader.ts";

/** Where a server finds its things; relative paths start at the working folder. */
export interface ServerPaths {
  /** config.ini */
  readonly config: string;
  /** modules.ini */
  readonly modulesConfig: string;
  /** Folder of the modules. */
  readonly modules: string;
  /** Folder of the log. */
  readonly log: string;
}

/** What is at the paths of a server before its start. */
export interface Installation {
  /** For people: the working folder, or where configuration and keys are. */
  readonly place: string;
  /** Whether neither configuration nor keys exist. */
  readonly isNew: boolean;
  readonly clientCount: number;
}

const PUBLIC_FOLDER = 0o755;
const PUBLIC_FILE = 0o644;
const DEMO_MODULE = "simple_time";

/** What is there, without a change. */
export async function describeInstallation(
  { config }: ServerPaths,
  store: StorePaths,
): Promise<Installation> {
  const isThere = (path: string): Promise<boolean> => exists(path).catch(() => true);
  const clients = await listClientFiles(store.clientsFolder).catch(() => []);
  const folder = resolve(".");
  const isLocal = [config, store.serverFolder].every((path) => isBelow(path, folder));
  return {
    place: isLocal ? folder : `${config} (keys in ${store.serverFolder})`,
    isNew: !await isThere(config) && !await isThere(serverKeyPath(store)),
    clientCount: clients.length,
  };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/**
 * Makes config.ini and modules.ini where absent.
 *
 * @returns the paths that were made.
 * @throws {ConfigError} when one cannot be made.
 */
export async function ensureConfig(paths: ServerPaths): Promise<string[]> {
  return [
    ...await ensureFile(paths.config, configText()),
    ...await ensureFile(paths.modulesConfig, MODULES_INI),
  ];
}

/**
 * Makes the modules folder, and the demo module when modules.ini names it and it is not there (an
 * installation of the original has it in Python).
 *
 * @returns the paths that were made.
 * @throws {ConfigError} when one cannot be made.
 */
export async function ensureModules(paths: ServerPaths): Promise<string[]> {
  const made = await ensureConfigFolder(paths.modules);
  const { entries } = await readModules(paths.modulesConfig);
  const isWanted = entries.some(({ moduleName }) => moduleName === DEMO_MODULE);
  if (!isWanted || await hasModule(paths.modules, DEMO_MODULE)) return made;
  return [...made, ...await ensureFile(join(paths.modules, `${DEMO_MODULE}.js`), SIMPLE_TIME_JS)];
}

/** The server's pairs in a key store that is complete, and the paths that had to be made for it. */
export interface ReadyStore {
  /** Of protocol v1. */
  readonly pair: KeyPair;
  /** Of protocol v2, unless that is off. */
  readonly pair2: KeyPair | undefined;
  readonly made: readonly string[];
}

/**
 * Makes the key store's folders, the server's pairs and the register where absent.
 *
 * @throws {StoreError} when a folder or the register cannot be made.
 * @throws {KeyFileError} when server.key or server2.key cannot be used.
 */
export async function ensureStore({ store, v2 }: Settings): Promise<ReadyStore> {
  const made = await ensureFolders(store);
  const { pairs, made: madeKeys } = await ensureServerKeys(
    store,
    v2.isEnabled ? SERVER_PAIRS : ["server"],
  );
  made.push(...madeKeys);
  if (await ensureRegister(store)) made.push(store.register);
  return { pair: pairs.server, pair2: pairs.server2, made };
}

async function ensureFile(path: string, text: string): Promise<string[]> {
  try {
    if (await exists(path)) return [];
    const made = await ensureConfigFolder(dirname(path));
    await createFile(path, text, { mode: PUBLIC_FILE });
    return [...made, path];
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return [];
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`Cannot make ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function ensureConfigFolder(path: string): Promise<string[]> {
  try {
    return await ensureFolder(path, PUBLIC_FOLDER) ? [path] : [];
  } catch (error) {
    throw new ConfigError(`Cannot make folder ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
