/**
 * @module
 * The running server: composes the parts from the settings, binds, starts foreign code last, and stops
 * everything in the reverse order, also when the start fails half-way.
 */
import { dirname } from "node:path";
import { Closers } from "./closers.ts";
import { composeEndpoint } from "./composition.ts";
import { type IsHeld, narrowPermissions, rememberPermissions } from "./config/permissions.ts";
import {
  type ListenSettings,
  type Overrides,
  readSettings,
  type Settings,
  type SettingsResult,
} from "./config/settings.ts";
import { Aead } from "./crypto/aead.ts";
import { Box } from "./crypto/box.ts";
import { formatKey, type KeyPair } from "./crypto/keys.ts";
import type { NonceMark } from "./crypto/nonce_mark.ts";
import { loadSodium } from "./crypto/sodium.ts";
import { MspError, UsageError } from "./errors.ts";
import { ensureConfig, ensureModules, ensureStore, type ServerPaths } from "./first_start.ts";
import { FunctionService } from "./functions/service.ts";
import type { Endpoint } from "./http/endpoint.ts";
import { startAdmin } from "./http/admin.ts";
import { Listener } from "./http/listener.ts";
import { followCertificate, readTlsPair, type TlsPair } from "./http/tls.ts";
import { checkModes } from "./keys/check.ts";
import type { HandshakeKeys } from "./keys/handshake_keys.ts";
import { Keyring } from "./keys/keyring.ts";
import { LiveStore } from "./keys/live_store.ts";
import { checkServerPublicKey } from "./keys/server_keys.ts";
import { closeLog, FAILURE_CATEGORY, logger, type LogSettings, openLog } from "./log.ts";
import { LogObserver } from "./log_observer.ts";
import { Metrics } from "./metrics.ts";
import { type Observer, observers } from "./observer.ts";
import { MemoryClaims } from "./replay/memory.ts";
import { takeOverOldJournal } from "./replay/old_journal.ts";
import { StateFolder } from "./state.ts";
import type { Tickets } from "./protocol/tickets.ts";
import { VERSION } from "./version.ts";
import { Watch } from "./watch.ts";

/** How to start a server. */
export interface ServerOptions {
  readonly paths: ServerPaths;
  readonly log: Omit<LogSettings, "folder">;
  /** What the command line and the environment set instead of config.ini. */
  readonly overrides?: Overrides;
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
  try {
    if (prepared instanceof MspError) throw prepared;
    logCreated(prepared.made);
    for (const warning of prepared.warnings) log.warning("{warning}", { warning });
    return await startParts(prepared.settings, paths, closers);
  } catch (error) {
    if (error instanceof MspError) failures.fatal("{message}", { message: error.message });
    await closers.close();
    throw error;
  }
}

/** Starts the parts in the order in which they need each other; the listener before foreign code. */
async function startParts(
  settings: Settings,
  paths: ServerPaths,
  closers: Closers,
): Promise<RunningServer> {
  logCreated(await ensureModules(paths));
  const { pair, pair2, made } = await ensureStore(settings);
  logCreated(made);
  const isHeld = rememberPermissions();
  const { observer, metrics } = await startObservers(settings, closers);
  const state = await openState(settings, observer, closers);
  giveUpPermissions(paths, settings);
  const sodium = await loadSodium();
  const box = await Box.load(sodium);
  const keyring = new Keyring(box, pair.privateKey);
  const claims = openClaims({ box, logFolder: paths.log, settings, observer });
  closers.add(() => claims.close());
  const service = makeFunctions({ paths, settings, isHeld, observer });
  closers.add(() => service.close());
  const { privateKey } = pair;
  const composition = composeEndpoint({
    settings,
    box,
    aead: new Aead(sodium),
    privateKey,
    keyring,
    claims,
    functions: service,
    observer,
  });
  closers.add(composition.close);
  closers.add(sweepTickets(composition.tickets));
  const { live, watch } = await followStore({
    settings,
    pair,
    pair2,
    keyring,
    observer,
    ...composition,
  });
  closers.add(() => watch.close());
  const { listener, tlsWatch } = await listen(settings.listen, composition.endpoint, observer);
  closers.add(() => listener.stop());
  closers.add(() => tlsWatch?.close());
  metrics?.addSources({
    requestsInFlight: () => composition.gate.inFlight,
    registeredClients: () => live.clientCount,
    registeredSecrets: () => keyring.secretCount,
    searchMs: () => composition.search.spentMs,
    claims: () => claims.fill,
    tickets: () => settings.v2.isEnabled ? composition.tickets.fill : undefined,
    functions: () =>
      service.functions.functions.map(({ functionName, state, queueLength }) => ({
        functionName,
        state,
        queueLength,
      })),
  });
  const admin = metrics && settings.admin && await startAdmin(settings.admin, {
    isHealthy: () => listener.isListening,
    metrics: () => metrics.expose(),
  }, observer);
  if (admin !== undefined) {
    closers.add(() => admin.stop());
    log.info("Health and metrics on {url}", { url: admin.origin });
  }
  log.info("Listening on {listening}", { listening: listener.listening });
  await state.describe({
    url: `${listener.origin}/v1`,
    version: VERSION,
    admin: admin?.origin,
  });
  await service.start();
  return {
    url: `${listener.origin}/v1`,
    listening: listener.listening,
    publicKeyBase64: formatKey(pair.publicKey),
    async reload(): Promise<void> {
      log.info("Reloading key store, modules and certificate");
      await Promise.all([watch.takeUp(), service.takeUp(), tlsWatch?.takeUp()]);
    },
    async stop(): Promise<void> {
      log.info("Stopping");
      await closers.close();
    },
  };
}

function logCreated(paths: readonly string[]): void {
  for (const path of paths) log.info("Created {path}", { path });
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

async function startObservers(
  { admin }: Settings,
  closers: Closers,
): Promise<{ observer: Observer; metrics: Metrics | undefined }> {
  const logObserver = new LogObserver();
  closers.add(() => {
    logObserver.close();
    log.info("Stopped");
  });
  const metrics = admin && await Metrics.load();
  return { observer: observers(metrics ? [logObserver, metrics] : [logObserver]), metrics };
}

/** Listens, and follows the certificate where there is one. */
async function listen(
  { tls: files, ...address }: ListenSettings,
  handler: Endpoint,
  observer: Observer,
): Promise<{ listener: Listener; tlsWatch?: Watch }> {
  const addressOptions = "--host and --port, or in config.ini [Server]";
  const parts = { handler, observer, part: "listener", addressOptions } as const;
  if (files === undefined) return { listener: await Listener.start(parts, address) };
  const tls = await readTlsPair(files);
  const listener = await Listener.start(parts, { ...address, tls });
  const use = (pair: TlsPair): Promise<void> => listener.useTls(pair);
  return { listener, tlsWatch: await followCertificate(files, use, observer) };
}

/** Takes the state folder and what earlier servers remembered in it. */
async function openState(
  { stateFolder }: Settings,
  observer: Observer,
  closers: Closers,
): Promise<StateFolder> {
  const state = await StateFolder.open(stateFolder, { observer });
  closers.add(() => state.close());
  if (state.wasMade) logCreated([state.path]);
  return state;
}

function openClaims({ box, logFolder, settings, observer }: ClaimParts): MemoryClaims {
  const { stateFolder: folder, limits } = settings;
  if (takeOverOldJournal(logFolder, folder)) {
    log.info("Moved the replay journal from {logFolder} to {folder}", { logFolder, folder });
  }
  const { rememberedRequests: windowRequests, rememberedEntries: entryRequests } = limits;
  return new MemoryClaims({ box, windowRequests, entryRequests, observer, journal: { folder } });
}

/** How often the keys of tickets are looked at: one is kept so much too long at most. */
const SWEEP_MS = 10_000;

/** Wipes keys of tickets when their time is over, also where nobody calls. @returns what ends that */
function sweepTickets(tickets: Tickets): () => void {
  const timer = setInterval(() => tickets.dropOldKeys(), SWEEP_MS);
  return () => {
    clearInterval(timer);
    tickets.close();
  };
}

interface ClaimParts {
  readonly box: Box;
  readonly logFolder: string;
  readonly settings: Settings;
  readonly observer: Observer;
}

interface FunctionParts {
  readonly paths: ServerPaths;
  readonly settings: Settings;
  readonly isHeld: IsHeld;
  readonly observer: Observer;
}

function makeFunctions({ paths, settings, isHeld, observer }: FunctionParts): FunctionService {
  return new FunctionService({ ...paths, settings, isHeld }, { observer });
}

interface StoreParts {
  readonly settings: Settings;
  readonly pair: KeyPair;
  readonly pair2: KeyPair | undefined;
  readonly keyring: Keyring;
  readonly observer: Observer;
  readonly nonceMark: NonceMark;
  readonly handshakeKeys: HandshakeKeys;
}

/** Loads the key store and follows its changes; most keys are loaded in the background. */
async function followStore(parts: StoreParts): Promise<{ live: LiveStore; watch: Watch }> {
  const { settings: { store }, pair, pair2, keyring, observer, nonceMark, handshakeKeys } = parts;
  for (const [name, each] of [["server", pair], ["server2", pair2]] as const) {
    const mismatch = each && await checkServerPublicKey(store, each.publicKey, name);
    if (mismatch !== undefined) observer.fault("key_store", `${mismatch.path}: ${mismatch.state}`);
  }
  for (const { what, remedy } of await checkModes(store)) {
    observer.fault("key_store", `${what}: ${remedy}`);
  }
  const live = new LiveStore({
    keyring,
    nonceMark,
    handshakeKeys: pair2 && handshakeKeys,
    paths: store,
    serverKey: pair.privateKey,
    observer,
  });
  await live.load();
  const seen = await live.look();
  const onChange = async (): Promise<void> => {
    await live.follow();
    observer.reloaded("key_store", `${live.clientCount} client keys`);
  };
  return { live, watch: new Watch({ seen, look: () => live.look(), onChange }) };
}

/** Once it is ready, the server writes its log, its state and its socket, and nothing else. */
function giveUpPermissions(paths: ServerPaths, { store, stateFolder, listen }: Settings): void {
  narrowPermissions({
    read: [
      dirname(paths.config),
      dirname(paths.modulesConfig),
      paths.modules,
      store.serverFolder,
      store.clientsFolder,
      store.register,
    ],
    write: [paths.log, stateFolder, ...listen.socket === undefined ? [] : [listen.socket.path]],
  });
}
