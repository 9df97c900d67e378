/**
 * @module
 * What metrics read of the parts of a running server.
 */
import type { Cluster } from "./cluster.ts";
import type { Composition } from "./composition.ts";
import type { Settings } from "./config/settings.ts";
import type { FunctionService } from "./functions/service.ts";
import type { Keyring } from "./keys/keyring.ts";
import type { LiveStore } from "./keys/live_store.ts";
import type { MetricSources } from "./metrics.ts";
import type { MemoryClaims } from "./replay/memory.ts";

/** The parts that metrics read. */
export interface MeasuredCore {
  readonly keyring: Keyring;
  readonly claims: MemoryClaims;
  readonly cluster: Cluster | undefined;
  readonly service: FunctionService;
  readonly composition: Composition;
  readonly live: LiveStore;
}

/** What metrics ask for when they are scraped. */
export function metricSources({ v2 }: Settings, core: MeasuredCore): MetricSources {
  const { keyring, claims, cluster, service, composition, live } = core;
  return {
    requestsInFlight: () => composition.gate.inFlight,
    registeredClients: () => live.clientCount,
    registeredSecrets: () => keyring.secretCount,
    searchMs: () => composition.search.spentMs,
    claims: () => claims.fill,
    tickets: () => v2.isEnabled ? composition.tickets.fill : undefined,
    isRedisUp: cluster && (() => cluster.isUp),
    functions: () =>
      service.functions.functions.map(({ functionName, state, queueLength }) => ({
        functionName,
        state,
        queueLength,
      })),
  };
}
