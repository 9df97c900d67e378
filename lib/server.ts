/**
 * @module
 * Wires the parts from the settings: start, ready, orderly stop.
 */
import { dirname } from "node:path";
import { assembleEndpoint } from "./assembly.ts";
import { narrowPermissions, rememberPermissions } from "./config/permissions.ts";
import {
  type ListenSettings,
  readSettings,
  type Settings,
  type SettingsResult,
  type SystemUser,
} from "./config/settings.ts";
import { formatKey } from "./crypto/keys.ts";
import { MspError } from "./errors.ts";
import { ensureConfig, ensureModules, ensureStore, type ServerPaths } from "./first_start.ts";
import { describeExposure, importExposure } from "./functions/exposure.ts";
import type { FunctionObserver } from "./functions/host_group.ts";
import { FunctionService } from "./functions/service.ts";
import { startAdmin } from "./http/admin.ts";
import { listenOn } from "./http/listening.ts";
import { RequestLog } from "./http/request_log.ts";
import { closeLog, FAILURE_CATEGORY, logger, type LogSettings, openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";

/** How to start a server. */
export interface ServerOptions {
  readonly paths: ServerPaths;
  readonly log: Omit<LogSettings, "folder">;
  /** Beats config.ini. */
  readonly host?: string;
  /** Beats config.ini; 0 takes a free port. */
  readonly port?: number;
  /** Whom functions run as; beats config.ini. */
  readonly functionsUser?: SystemUser | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** URL of the endpoint, for a client on this machine. */
  readonly url: string;
  /** Address and port that it listens on, or the path of a Unix socket. */
  readonly listening: string;
  readonly publicKeyBase64: string;
  /** Takes up changes of the key store, of modules and of the certificate now; without, it does so within a second. */
  readonly reload: () => Promise<void>;
  /**
   * Stops accepting, lets the requests in flight end (10 s at most), writes the log out.
   * The process may then exit.
   */
  readonly stop: () => Promise<void>;
}

const log = logger("server");
const functionLog = logger("functions");
const failures = logger(FAILURE_CATEGORY);

/**
 * Starts a server: makes what is missing, loads keys and functions, gives up the permissions that are not needed any more, listens.
 *
 * @throws {ConfigError} when the configuration or the environment cannot be used, or the address
 * cannot be listened on.
 * @throws {KeyFileError} when server.key cannot be used.
 * @throws {StoreError} when the key store cannot be read or made.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { paths } = options;
  const prepared = await prepare(paths);
  const format = prepared instanceof MspError ? "text" : prepared.settings.logFormat;
  if (await openLog({ ...options.log, format, folder: paths.log })) logMade([paths.log]);
  try {
    if (prepared instanceof MspError) throw prepared;
    const { warnings } = prepared;
    const settings = withUser(prepared.settings, options);
    logMade(prepared.made);
    for (const warning of warnings) log.warning("{warning}", { warning });
    const listen = withFlags(settings.listen, options);
    logMade(await ensureModules(paths));
    const { pair, made } = await ensureStore(settings);
    logMade(made);
    const isHeld = rememberPermissions();
    giveUpPermissions(paths, settings, listen);
    warnOfExposure(settings);
    const requestLog = new RequestLog();
    let settleClaims = (): void => {};
    const beforeCalls = (): void => settleClaims();
    const metrics = settings.admin && await Metrics.load();
    let processEnds = 0;
    const observer: FunctionObserver = {
      processExited(reason): void {
        processEnds++;
        functionLog.error("A process of functions ended: {reason}", { reason });
      },
      reloaded(what, detail): void {
        functionLog.info("Read {detail}", { detail });
        metrics?.reloaded(what);
      },
      fault: (_, what) => functionLog.error("{what}", { what }),
      recovered: (_, what) => functionLog.info("{what}", { what }),
    };
    const functions = new FunctionService({ ...paths, settings, isHeld }, {
      observer,
      beforeCalls,
    });
    await functions.start();
    const { endpoint, watch, claims, gauges } = await assembleEndpoint({
      settings,
      pair,
      registry: functions.functions,
      processEnds: () => processEnds,
      requestLog,
      logFolder: paths.log,
      metrics,
    });
    settleClaims = () => void claims.settle();
    const { listener, tlsWatch } = await listenOn(listen, endpoint, {
      onReloaded: () => metrics?.reloaded("certificate"),
    });
    metrics?.addSources(gauges);
    const admin = settings.admin && metrics && startAdmin(settings.admin, {
      isHealthy: () => listener.isListening,
      metrics: () => metrics.expose(),
    });
    if (admin !== undefined) log.info("Health and metrics on {url}", { url: admin.url });
    const publicKeyBase64 = formatKey(pair.publicKey);
    log.info("Listening on {listening}", { listening: listener.listening });
    const stop = async (): Promise<void> => {
      log.info("Stopping");
      watch.close();
      tlsWatch?.close();
      await listener.stop();
      await admin?.stop();
      functions.close();
      claims.close();
      requestLog.close();
      log.info("Stopped");
      await closeLog();
    };
    const reload = async (): Promise<void> => {
      log.info("Looking at key store, modules and certificate");
      await Promise.all([watch.takeUp(), functions.takeUp(), tlsWatch?.takeUp()]);
    };
    return { url: listener.url, listening: listener.listening, publicKeyBase64, reload, stop };
  } catch (error) {
    if (error instanceof MspError) failures.fatal("{message}", { message: error.message });
    await closeLog();
    throw error;
  }
}

function logMade(made: readonly string[]): void {
  for (const path of made) log.info("Made {path}", { path });
}

/** What must be known before the log is opened; an error of ours is for the log too. */
async function prepare(
  paths: ServerPaths,
): Promise<SettingsResult & { made: string[] } | MspError> {
  try {
    const made = await ensureConfig(paths);
    return { ...await readSettings(paths.config), made };
  } catch (error) {
    if (error instanceof MspError) return error;
    throw error;
  }
}

/** Ready, the server writes its log and its socket, and nothing else. */
function giveUpPermissions(paths: ServerPaths, settings: Settings, listen: ListenSettings): void {
  const { store } = settings;
  narrowPermissions({
    read: [
      dirname(paths.config),
      dirname(paths.modulesConfig),
      paths.modules,
      store.serverFolder,
      store.clientsFolder,
      store.register,
    ],
    write: [paths.log, ...listen.socket === undefined ? [] : [listen.socket.path]],
  });
}

/** Says so where any function could read the server's key. */
function warnOfExposure({ functions }: Settings): void {
  const exposure = importExposure();
  if (functions.user !== undefined || exposure !== "any file") return;
  log.warning("{what}; {remedy}", { ...describeExposure(exposure) });
}

/** Settings with what the command line says of functions. */
function withUser(settings: Settings, options: ServerOptions): Settings {
  if (!("functionsUser" in options)) return settings;
  return { ...settings, functions: { ...settings.functions, user: options.functionsUser } };
}

/** Where to listen when the command line says something too. */
function withFlags(listen: ListenSettings, { host, port }: ServerOptions): ListenSettings {
  if (host === undefined && port === undefined) return listen;
  const { socket: _, ...tcp } = listen;
  return { ...tcp, host: host ?? listen.host, port: port ?? listen.port };
}
