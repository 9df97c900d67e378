/**
 * @module
 * Puts the endpoint together from the settings: keyring, search, guards, answers. Starts nothing that
 * listens.
 */
import type { Settings } from "./config/settings.ts";
import { Box } from "./crypto/box.ts";
import type { KeyPair } from "./crypto/keys.ts";
import { NonceMark } from "./crypto/nonce_mark.ts";
import type { Supervisor } from "./functions/supervisor.ts";
import { BodyReader } from "./limits/body.ts";
import { WorkBudget } from "./limits/budget.ts";
import { RequestGate } from "./limits/gate.ts";
import type { Claims } from "./replay/claims.ts";
import { ReplayJournal } from "./replay/journal.ts";
import { RefusalClock } from "./limits/refusal_clock.ts";
import { MemoryClaims } from "./replay/memory.ts";
import { Answerer } from "./http/answer.ts";
import { createEndpoint, type Endpoint } from "./http/endpoint.ts";
import type { RequestLog } from "./http/request_log.ts";
import { loadTracing } from "./http/tracing.ts";
import { Keyring } from "./keys/keyring.ts";
import { LiveStore } from "./keys/live_store.ts";
import { SenderFinder } from "./keys/sender.ts";
import { SenderSearch } from "./keys/search.ts";
import { checkModes } from "./keys/check.ts";
import { checkServerPublicKey } from "./keys/server_keys.ts";
import { logger } from "./log.ts";
import type { Metrics, MetricSources } from "./metrics.ts";
import { Watch } from "./watch.ts";

const log = logger("server");

/** What an endpoint is made of. */
export interface EndpointSources {
  readonly settings: Settings;
  readonly pair: KeyPair;
  readonly registry: Supervisor;
  /** How many processes of functions ended by themselves. */
  readonly processEnds: () => number;
  readonly requestLog: RequestLog;
  /** Where the journal is. */
  readonly logFolder: string;
  /** Counts what happens, where somebody wants to know. */
  readonly metrics: Metrics | undefined;
}

/** An endpoint, and the watch that keeps its keys as they are on disk. */
export interface AssembledEndpoint {
  readonly endpoint: Endpoint;
  readonly watch: Watch;
  readonly claims: Claims;
  /** What can be measured of it. */
  readonly gauges: MetricSources;
}

/**
 * Makes the endpoint; most keys are loaded in the background.
 *
 * @throws {StoreError} when the key store cannot be read.
 */
export async function assembleEndpoint(sources: EndpointSources): Promise<AssembledEndpoint> {
  const { settings, pair, registry, requestLog, metrics } = sources;
  const box = await Box.load();
  const keyring = new Keyring(box, pair.privateKey);
  const search = new SenderSearch(keyring, new WorkBudget(settings.limits.searchPercent / 100));
  const nonceMark = new NonceMark(box, pair.privateKey);
  const onReloaded = (): void => metrics?.reloaded("key_store");
  const { watch, live } = await followStore({
    keyring,
    nonceMark,
    settings,
    pair,
    onReloaded,
  });
  const { limits } = settings;
  const claims = openClaims(box, sources);
  const answerer = new Answerer({
    box,
    keyring,
    senders: new SenderFinder({
      box,
      keyring,
      search,
      failuresPerMinute: limits.failuresPerMinute,
      maxAddresses: limits.addresses,
      addressTtlSeconds: settings.ipAddressTtlSeconds,
      observer: {
        newAddress: (address) => requestLog.newAddress(address),
        limitReached: (limit) =>
          requestLog.addressForgotten(limit === "failing_addresses" ? "failed" : "were accepted"),
      },
    }),
    nonceMark,
    claims,
    registry,
    trace: await loadTracing(),
    requestTtlSeconds: settings.requestTtlSeconds,
    events: {
      ...(metrics && { onCalled: (name, refusal) => metrics.called(name, refusal) }),
    },
  });
  const bodies = new BodyReader({
    maxBytes: limits.bodyBytes,
    timeoutMs: limits.bodyTimeoutSeconds * 1000,
  });
  const gate = new RequestGate({ ...limits, makeRoom: () => bodies.giveUpSlowest() });
  const endpoint = createEndpoint({
    answerer,
    bodies,
    gate,
    refusalClock: new RefusalClock(),
    proxy: settings.proxy,
    ...(metrics && { onEnded: (durationMs, reason) => metrics.ended(durationMs, reason) }),
    onAnswered: (origin) => requestLog.answered(origin),
    onRefused: (refused) => requestLog.refused(refused),
  });
  const gauges: MetricSources = {
    requestsInFlight: () => gate.inFlight,
    registeredClients: () => live.clientCount,
    registeredSecrets: () => keyring.secretCount,
    searchMs: () => search.spentMs,
    replay: () => claims.fill,
    functions: () =>
      registry.functions.map(({ functionName, state, queueLength }) => ({
        functionName,
        state,
        queueLength,
      })),
    processEnds: sources.processEnds,
  };
  return { endpoint, watch, claims, gauges };
}

function openClaims(
  box: Box,
  { logFolder, requestLog, settings: { limits } }: EndpointSources,
): MemoryClaims {
  const { rememberedRequests, rememberedEntries } = limits;
  const journal = new ReplayJournal(logFolder, {
    recordsPerFile: Math.max(rememberedRequests, Math.ceil(rememberedEntries / 2)),
    observer: { fault: (_, what) => requestLog.journalFailed(what) },
  });
  return new MemoryClaims({
    box,
    journal,
    windowRequests: rememberedRequests,
    entryRequests: rememberedEntries,
    observer: { limitReached: () => requestLog.crowded() },
  });
}

interface StoreSources {
  readonly keyring: Keyring;
  readonly nonceMark: NonceMark;
  readonly settings: Settings;
  readonly pair: KeyPair;
  readonly onReloaded: () => void;
}

/** Loads the key store and follows its changes. */
async function followStore(sources: StoreSources): Promise<{ watch: Watch; live: LiveStore }> {
  const { keyring, nonceMark, settings: { store }, pair, onReloaded } = sources;
  const mismatch = await checkServerPublicKey(store, pair.publicKey);
  if (mismatch !== undefined) {
    log.warning("{path}: {state}", { path: mismatch.path, state: mismatch.state });
  }
  for (const { what, remedy } of await checkModes(store)) {
    log.warning("{what}: {remedy}", { what, remedy });
  }
  const live = new LiveStore({
    keyring,
    nonceMark,
    paths: store,
    serverKey: pair.privateKey,
    observer: {
      fault: (_, what) => log.warning("{what}", { what }),
      storeLoaded: (counts) =>
        log.info("Registered client keys: {keys}, secrets: {secrets}", { ...counts }),
    },
  });
  await live.load();
  const seen = await live.look();
  const onChange = async (): Promise<void> => {
    await live.follow();
    onReloaded();
  };
  return { watch: new Watch({ seen, look: () => live.look(), onChange }), live };
}
