/**
 * @module
 * Wires the parts from the settings: start, ready, orderly stop.
 */
import { dirname } from "node:path";
import { narrowPermissions, rememberPermissions } from "./config/permissions.ts";
import { readSettings, type Settings } from "./config/settings.ts";
import { Box } from "./crypto/box.ts";
import { formatKey, type KeyPair } from "./crypto/keys.ts";
import { NonceMark } from "./crypto/nonce_mark.ts";
import { MspError } from "./errors.ts";
import { ensureConfig, ensureModules, ensureStore, type ServerPaths } from "./first_start.ts";
import type { FunctionRegistry } from "./functions/registry.ts";
import { FunctionService } from "./functions/service.ts";
import { AddressBook } from "./guard/addresses.ts";
import { BodyReader } from "./guard/body.ts";
import { WorkBudget } from "./guard/budget.ts";
import { FailureCounter } from "./guard/failures.ts";
import { ReplayJournal } from "./guard/journal.ts";
import { ReplayGuard } from "./guard/replay.ts";
import { Answerer } from "./http/answer.ts";
import { createEndpoint, type Endpoint } from "./http/endpoint.ts";
import { Listener } from "./http/listener.ts";
import { RequestLog } from "./http/request_log.ts";
import { Keyring } from "./keyring/keyring.ts";
import { LiveStore } from "./keyring/live_store.ts";
import { SenderFinder } from "./keyring/sender.ts";
import { SenderSearch } from "./keyring/search.ts";
import { checkServerPublicKey } from "./keyring/server_keys.ts";
import type { StoreFault } from "./keyring/store_reader.ts";
import { closeLog, FAILURE_CATEGORY, logger, type LogSettings, openLog } from "./log.ts";
import { Watch } from "./watch.ts";

/** How to start a server. */
export interface ServerOptions {
  readonly paths: ServerPaths;
  readonly log: Omit<LogSettings, "folder">;
  /** Beats config.ini. */
  readonly host?: string;
  /** Beats config.ini; 0 takes a free port. */
  readonly port?: number;
}

/** A server that listens. */
export interface RunningServer {
  /** URL of the endpoint, for a client on this machine. */
  readonly url: string;
  /** Address and port that it listens on. */
  readonly listening: string;
  readonly publicKeyBase64: string;
  /** Takes up changes of the key store and of modules now; without, it does so within a second. */
  readonly reload: () => Promise<void>;
  /**
   * Stops accepting, lets the requests in flight end (10 s at most), writes the log out.
   * The process may then exit.
   */
  readonly stop: () => Promise<void>;
}

const log = logger("server");
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
  if (await openLog({ ...options.log, folder: paths.log })) {
    log.info("Made {path}", { path: paths.log });
  }
  try {
    logMade(await ensureConfig(paths));
    const { settings, warnings } = await readSettings(paths.config);
    for (const warning of warnings) log.warning("{warning}", { warning });
    logMade(await ensureModules(paths));
    const { pair, made } = await ensureStore(settings);
    logMade(made);
    const isHeld = rememberPermissions();
    narrowPermissions({
      read: [
        dirname(paths.config),
        dirname(paths.modulesConfig),
        paths.modules,
        settings.store.serverFolder,
        settings.store.clientsFolder,
        settings.store.register,
      ],
      write: [paths.log],
    });
    const requestLog = new RequestLog();
    const journal = new ReplayJournal(paths.log, {
      onFailure: (reason) => requestLog.journalFailed(reason),
    });
    const beforeCalls = (): void => journal.flush();
    const functions = new FunctionService({ ...paths, settings, isHeld, beforeCalls });
    await functions.start();
    const { registry } = functions;
    const { endpoint, watch } = await buildEndpoint({
      settings,
      pair,
      registry,
      requestLog,
      journal,
    });
    const host = options.host ?? settings.host;
    const port = options.port ?? settings.port;
    const listener = new Listener(endpoint, { host, port });
    const publicKeyBase64 = formatKey(pair.publicKey);
    log.info("Listening on {listening}", { listening: listener.listening });
    const stop = async (): Promise<void> => {
      log.info("Stopping");
      watch.close();
      await listener.stop();
      functions.close();
      journal.close();
      requestLog.close();
      log.info("Stopped");
      await closeLog();
    };
    const reload = async (): Promise<void> => {
      log.info("Looking at key store and modules");
      await Promise.all([watch.takeUp(), functions.takeUp()]);
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

interface EndpointSources {
  readonly settings: Settings;
  readonly pair: KeyPair;
  readonly registry: FunctionRegistry;
  readonly requestLog: RequestLog;
  readonly journal: ReplayJournal;
}

async function buildEndpoint(
  sources: EndpointSources,
): Promise<{ endpoint: Endpoint; watch: Watch }> {
  const { settings, pair, registry, requestLog, journal } = sources;
  const box = await Box.load();
  const keyring = new Keyring(box, pair.privateKey);
  const search = new SenderSearch(keyring, new WorkBudget(settings.limits.searchPercent / 100));
  const nonceMark = new NonceMark(box, pair.privateKey);
  const watch = await followStore({ keyring, search, nonceMark, settings, pair });
  const replayGuard = new ReplayGuard();
  const restored = journal.restore(replayGuard, Math.floor(Date.now() / 1000));
  if (restored > 0) log.info("Requests remembered from before: {restored}", { restored });
  const addresses = new AddressBook(settings.ipAddressTtlSeconds);
  const answerer = new Answerer({
    box,
    keyring,
    senders: new SenderFinder({
      box,
      keyring,
      search,
      failures: new FailureCounter(settings.limits.failuresPerMinute),
    }),
    nonceMark,
    replayGuard,
    fingerprintKey: journal.key,
    registry,
    requestTtlSeconds: settings.requestTtlSeconds,
    events: {
      onAuthenticated(address, nowSeconds): void {
        if (addresses.see(address, nowSeconds)) requestLog.newAddress(address);
      },
      onCrowded: () => requestLog.crowded(),
      onRemembered: (words, expiresAtSeconds) => journal.append(words, expiresAtSeconds),
    },
  });
  const endpoint = createEndpoint({
    answerer,
    bodies: new BodyReader(),
    proxy: settings.proxy,
    onAnswered: (origin) => requestLog.answered(origin),
    onRefused: (refused) => requestLog.refused(refused),
  });
  return { endpoint, watch };
}

interface StoreSources {
  readonly keyring: Keyring;
  readonly search: SenderSearch;
  readonly nonceMark: NonceMark;
  readonly settings: Settings;
  readonly pair: KeyPair;
}

/** Loads the key store and follows its changes. */
async function followStore(sources: StoreSources): Promise<Watch> {
  const { keyring, search, nonceMark, settings: { store }, pair } = sources;
  const mismatch = await checkServerPublicKey(store, pair.publicKey);
  if (mismatch !== undefined) warnOfStore(mismatch);
  const live = new LiveStore({
    keyring,
    paths: store,
    serverKey: pair.privateKey,
    events: {
      onFault: warnOfStore,
      onLoading: () => void (search.isLoading = true),
      onLoaded(): void {
        search.isLoading = false;
        log.info("Registered client keys: {keys}, secrets: {secrets}", {
          keys: live.clientCount,
          secrets: keyring.secretCount,
        });
      },
      onServerKeys: (privateKeys) => nonceMark.useServerKeys(privateKeys),
    },
  });
  await live.load();
  const seen = await live.look();
  return new Watch({ seen, look: () => live.look(), onChange: () => live.follow() });
}

function warnOfStore({ path, state }: StoreFault): void {
  log.warning("{path}: {state}", { path, state });
}
