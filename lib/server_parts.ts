/**
 * @module
 * How the server starts each of its parts. The order is in server.ts.
 */
import { dirname } from "node:path";
import type { Closers } from "./closers.ts";
import { narrowPermissions } from "./config/permissions.ts";
import type { ListenSettings, Settings } from "./config/settings.ts";
import type { Box } from "./crypto/box.ts";
import type { KeyPair } from "./crypto/keys.ts";
import type { NonceMark } from "./crypto/nonce_mark.ts";
import type { ServerPaths } from "./first_start.ts";
import type { Endpoint } from "./http/endpoint.ts";
import { Listener } from "./http/listener.ts";
import { followCertificate, readTlsPair, type TlsPair } from "./http/tls.ts";
import { checkModes } from "./keys/check.ts";
import type { HandshakeKeys } from "./keys/handshake_keys.ts";
import type { Keyring } from "./keys/keyring.ts";
import { LiveStore } from "./keys/live_store.ts";
import { checkServerPublicKey } from "./keys/server_keys.ts";
import { LastUse } from "./last_use.ts";
import { logger } from "./log.ts";
import { LogObserver } from "./log_observer.ts";
import { Metrics } from "./metrics.ts";
import { type Observer, observers } from "./observer.ts";
import type { Tickets } from "./protocol/tickets.ts";
import { MemoryClaims } from "./replay/memory.ts";
import { takeOverOldJournal } from "./replay/old_journal.ts";
import { StateFolder } from "./state.ts";
import { Watch } from "./watch.ts";

const log = logger("server");

/** Tells the log which files and folders were created. */
export function logCreated(paths: readonly string[]): void {
  for (const path of paths) log.info("Created {path}", { path });
}

/** Starts the log, and metrics where they can be asked for. */
export async function startObservers(
  { admin, logCalls: logsCalls }: Settings,
  closers: Closers,
): Promise<{ observer: Observer; metrics: Metrics | undefined }> {
  const logObserver = new LogObserver({ logsCalls });
  closers.add(() => logObserver.close());
  const metrics = admin && await Metrics.load();
  return { observer: observers(metrics ? [logObserver, metrics] : [logObserver]), metrics };
}

/** With [Log] Calls=yes, last uses outlive the server; without, nothing of them stays. */
export async function rememberLastUse(
  { logCalls }: Settings,
  { observer, folder }: { readonly observer: Observer; readonly folder: string },
  closers: Closers,
): Promise<Observer> {
  if (!logCalls) {
    await LastUse.forget(folder);
    return observer;
  }
  const lastUse = await LastUse.open({ folder, observer });
  closers.add(() => lastUse.close());
  return observers([observer, lastUse.observer]);
}

/** Listens, and follows the certificate where there is one. */
export async function listen(
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
export async function openState(
  { stateFolder }: Settings,
  observer: Observer,
  closers: Closers,
): Promise<StateFolder> {
  const state = await StateFolder.open(stateFolder, { observer });
  closers.add(() => state.close());
  if (state.wasMade) logCreated([state.path]);
  return state;
}

/** Remembers accepted requests, in memory and in the journal; takes over that of an earlier version. */
export function openClaims({ box, logFolder, settings, observer }: ClaimParts): MemoryClaims {
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
export function sweepTickets(tickets: Tickets): () => void {
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
export async function followStore(parts: StoreParts): Promise<{ live: LiveStore; watch: Watch }> {
  const { settings, pair, pair2, keyring, observer, nonceMark, handshakeKeys } = parts;
  const { store, clientFunctions } = settings;
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
    defaults: clientFunctions === undefined ? {} : { functions: clientFunctions },
    observer,
  });
  const seen = await live.load();
  const watch = new Watch({ seen, look: () => live.look(), onChange: () => live.follow() });
  return { live, watch };
}

/** Once it is ready, the server writes its log, its state and its socket, and nothing else. */
export function giveUpPermissions(
  paths: ServerPaths,
  { store, stateFolder, listen }: Settings,
): void {
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
