/**
 * @module
 * The running server: composes the parts from the settings, binds, starts foreign code last, and stops
 * everything in the reverse order, also when the start fails half-way.
 */
import { Closers } from "./closers.ts";
import { Cluster } from "./cluster.ts";
import { composeEndpoint } from "./composition.ts";
import { type IsHeld, rememberPermissions } from "./config/permissions.ts";
import {
  type Overrides,
  readSettings,
  type Settings,
  type SettingsResult,
} from "./config/settings.ts";
import { Aead } from "./crypto/aead.ts";
import { Box } from "./crypto/box.ts";
import { formatKey, type KeyPair } from "./crypto/keys.ts";
import { loadSodium, type Sodium } from "./crypto/sodium.ts";
import { MspError, UsageError } from "./errors.ts";
import { ensureConfig, ensureModules, ensureStore, type ServerPaths } from "./first_start.ts";
import { FunctionService } from "./functions/service.ts";
import { startFunctions } from "./functions/sources.ts";
import type { EarlyStage, HeadStart } from "./functions/wall/head_start.ts";
import { startAdmin } from "./http/admin.ts";
import type { Listener } from "./http/listener.ts";
import { Keyring } from "./keys/keyring.ts";
import { closeLog, FAILURE_CATEGORY, logger, type LogSettings, openLog } from "./log.ts";
import { type MeasuredCore, metricSources } from "./server_metrics.ts";
import type { Metrics } from "./metrics.ts";
import type { Observer } from "./observer.ts";
import { Registrar } from "./registrar.ts";
import {
  followStore,
  giveUpPermissions,
  listen,
  logCreated,
  openClaims,
  openState,
  rememberLastUse,
  startObservers,
  sweepTickets,
} from "./server_parts.ts";
import type { StateFolder } from "./state.ts";
import { VERSION } from "./version.ts";
import type { Watch } from "./watch.ts";

/** How to start a server. */
export interface ServerOptions {
  readonly paths: ServerPaths;
  readonly log: Omit<LogSettings, "folder">;
  /** What the command line and the environment set instead of config.ini. */
  readonly overrides?: Overrides;
  /** What was started before the rest of the program was loaded. */
  readonly early?: EarlyStage | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** URL of the endpoint, for a client on this machine. */
  readonly url: string;
  /** Address and port that it listens on, or the path of a Unix socket. */
  readonly listening: string;
  readonly publicKeyBase64: string;
  /** Reloads key store, modules and certificate now; without it, changes are noticed within a second. */
  readonly reload: () => Promise<void>;
  /**
   * Stops accepting, waits for requests in flight (10 s at most), writes the log out. The process may
   * then exit.
   */
  readonly stop: () => Promise<void>;
}

const log = logger("server");
const failures = logger(FAILURE_CATEGORY);

/**
 * Starts a server: creates missing files, loads keys, gives up permissions that are not needed any
 * more, listens, then loads functions.
 *
 * @throws {ConfigError} when the configuration or the environment cannot be used, or the address
 * cannot be listened on.
 * @throws {KeyFileError} when server.key cannot be used.
 * @throws {StoreError} when the key store cannot be read or created.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { paths } = options;
  const prepared = await prepare(options);
  const format = prepared instanceof MspError ? "text" : prepared.settings.logFormat;
  if (await openLog({ ...options.log, format, folder: paths.log })) logCreated([paths.log]);
  const closers = new Closers();
  closers.add(closeLog);
  let isServing = false;
  closers.add(() => {
    // Of a start that failed, this would stand in the log of the server that runs here already.
    if (isServing) log.info("Stopped");
  });
  try {
    if (prepared instanceof MspError) throw prepared;
    logCreated(prepared.made);
    for (const warning of prepared.warnings) log.warning("{warning}", { warning });
    const server = await startParts(prepared.settings, options, closers);
    isServing = true;
    return server;
  } catch (error) {
    if (error instanceof MspError) failures.fatal("{message}", { message: error.message });
    await closers.close();
    throw error;
  }
}

/** What every part stands on. */
interface Foundation {
  readonly settings: Settings;
  readonly paths: ServerPaths;
  readonly closers: Closers;
  readonly pair: KeyPair;
  readonly pair2: KeyPair | undefined;
  readonly isHeld: IsHeld;
  readonly head: HeadStart;
  readonly sodium: Promise<Sodium>;
  readonly observer: Observer;
  readonly metrics: Metrics | undefined;
  readonly state: StateFolder;
}

/** Starts the parts in the order in which they need each other; the listener before foreign code. */
async function startParts(
  settings: Settings,
  { paths, early }: ServerOptions,
  closers: Closers,
): Promise<RunningServer> {
  const isHeld = rememberPermissions();
  const head = startFunctions({ settings, isHeld, early });
  closers.add(() => head.close());
  // Compiled by other threads meanwhile.
  const sodium = loadSodium();
  const foundation = { ...await layFoundation(settings, paths, closers), isHeld, head, sodium };
  const core = await composeCore(foundation);
  const doors = await openDoors(foundation, core);
  const { listener, admin, tlsWatch } = doors;
  const { service, live, following, cluster } = core;
  log.info("Listening on {listening}", { listening: listener.listening });
  const url = `${listener.origin}/v1`;
  await foundation.state.describe({ url, version: VERSION, admin: admin?.origin });
  await service.start();
  return {
    url,
    listening: listener.listening,
    publicKeyBase64: formatKey(foundation.pair.publicKey),
    async reload(): Promise<void> {
      log.info("Reloading key store, modules and certificate");
      live.readAllNext();
      await Promise.all([following.takeUp(), service.takeUp(), tlsWatch?.takeUp()]);
    },
    async stop(): Promise<void> {
      log.info("Stopping");
      doors.isStopping = true;
      await cluster?.drain();
      await closers.close();
    },
  };
}

/** Keys, log, state; then the permissions for them are given up. */
async function layFoundation(
  settings: Settings,
  paths: ServerPaths,
  closers: Closers,
): Promise<Omit<Foundation, "isHeld" | "head" | "sodium">> {
  logCreated(await ensureModules(paths));
  const { pair, pair2, made } = await ensureStore(settings);
  logCreated(made);
  const told = await startObservers(settings, closers);
  const { metrics } = told;
  const state = await openState(settings, told.observer, closers);
  const observer = await rememberLastUse(settings, { ...told, folder: state.path }, closers);
  giveUpPermissions(paths, settings);
  return { settings, paths, closers, pair, pair2, observer, metrics, state };
}

/** What answers requests, without a listener. */
interface Core extends MeasuredCore {
  /** Follows the key store. */
  readonly following: Watch;
}

async function composeCore(foundation: Foundation): Promise<Core> {
  const { settings, paths, closers, pair, pair2, observer } = foundation;
  const sodium = await foundation.sodium;
  const box = await Box.load(sodium);
  const keyring = new Keyring(box, pair.privateKey);
  const aead = new Aead(sodium);
  const claims = openClaims({ box, logFolder: paths.log, settings, observer });
  closers.add(() => claims.close());
  const cluster = settings.cluster &&
    new Cluster({ ...settings, cluster: settings.cluster, aead, pair2, own: claims, observer });
  closers.add(() => cluster?.close());
  const service = new FunctionService(
    { ...paths, settings, isHeld: foundation.isHeld },
    { observer, head: foundation.head },
  );
  // A look at files that hang ends with the program.
  closers.add(() => void service.close());
  // The store is followed below, before the first request can come.
  const reload = (): Promise<void> => following.takeUp();
  const composition = composeEndpoint({
    settings,
    box,
    aead,
    privateKey: pair.privateKey,
    keyring,
    claims: cluster?.claims ?? claims,
    shared: cluster && { tickets: cluster.tickets, rates: cluster.rates, reload },
    functions: service,
    invites: new Registrar({
      paths: settings.store,
      keyring,
      observer,
      reload,
      readEnv: (name) => Deno.env.get(name),
      uses: cluster?.uses,
    }),
    observer,
  });
  closers.add(composition.close);
  closers.add(sweepTickets(composition.tickets));
  const { live, watch: following } = await followStore({ ...foundation, keyring, ...composition });
  closers.add(() => live.close());
  closers.add(() => following.close());
  await cluster?.open();
  return { keyring, claims, cluster, service, composition, live, following };
}

/** What the server listens on. */
interface Doors {
  readonly listener: Listener;
  readonly tlsWatch: Watch | undefined;
  admin?: Listener;
  isStopping: boolean;
}

async function openDoors(
  { settings, closers, observer, metrics }: Foundation,
  core: Core,
): Promise<Doors> {
  const { keyring, cluster, composition } = core;
  const { listener, tlsWatch } = await listen(settings.listen, composition.endpoint, observer);
  const doors: Doors = { listener, tlsWatch, isStopping: false };
  // Stopped after the listener, so that it tells until then that the server is not ready.
  closers.add(() => doors.admin?.stop());
  closers.add(() => listener.stop());
  closers.add(() => void tlsWatch?.close());
  if (metrics === undefined || settings.admin === undefined) return doors;
  metrics.addSources(metricSources(settings, core));
  doors.admin = await startAdmin(settings.admin, {
    isHealthy: () => listener.isListening,
    notReady(): string | undefined {
      if (doors.isStopping) return "the server is stopping";
      if (keyring.isLoading) return "the keys are being loaded";
      return cluster?.notReady;
    },
    metrics: () => metrics.expose(),
  }, observer);
  log.info("Health and metrics on {url}", { url: doors.admin.origin });
  return doors;
}

/** What must be known before the log is opened; an error of ours is for the log too. */
async function prepare(
  { paths, overrides }: ServerOptions,
): Promise<SettingsResult & { made: string[] } | MspError> {
  try {
    // First: wrong usage creates nothing.
    const result = await readSettings(paths.config, overrides);
    return { ...result, made: await ensureConfig(paths) };
  } catch (error) {
    if (error instanceof MspError && !(error instanceof UsageError)) return error;
    throw error;
  }
}
