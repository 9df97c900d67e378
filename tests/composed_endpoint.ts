/**
 * @module
 * The endpoint as the server composes it, in the test's own process, with a clock and functions of the
 * test.
 */
import { composeEndpoint } from "../lib/composition.ts";
import { settingsFrom } from "../lib/config/settings.ts";
import type { Box } from "../lib/crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../lib/crypto/keys.ts";
import type { CallResult } from "../lib/functions/types.ts";
import type { Endpoint } from "../lib/http/endpoint.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { type Observer, SILENT } from "../lib/observer.ts";
import type { RefusalCode } from "../lib/refusals.ts";
import { RefusalClock } from "../lib/limits/refusal_clock.ts";
import { MemoryClaims } from "../lib/replay/memory.ts";

/** What an endpoint of a test knows. */
export interface EndpointSetup {
  readonly box: Box;
  readonly serverPrivateKey: PrivateKey;
  readonly clients: readonly PublicKey[];
  readonly secrets: readonly string[];
  readonly functions: Readonly<Record<string, () => string>>;
  readonly nowSeconds?: () => number;
}

/** Composes an endpoint; `refusals` collects the codes that went to the observer. */
export function makeEndpoint(
  setup: EndpointSetup,
): { endpoint: Endpoint; refusals: RefusalCode[] } {
  const { box, serverPrivateKey, nowSeconds } = setup;
  const keyring = new Keyring(box, serverPrivateKey);
  for (const publicKey of setup.clients) keyring.addKey(publicKey, { file: "client_1.pub" });
  for (const secret of setup.secrets) keyring.addSecret(secret as SecretHex);
  const refusals: RefusalCode[] = [];
  const observer: Observer = { ...SILENT, refused: ({ code }) => void refusals.push(code) };
  const { settings } = settingsFrom({ options: [], faults: [] }, "config.ini");
  const { endpoint, close } = composeEndpoint({
    settings: { ...settings, limits: { ...settings.limits, failuresPerMinute: 1_000_000 } },
    box,
    privateKey: serverPrivateKey,
    keyring,
    claims: new MemoryClaims({ box, windowRequests: 1000, entryRequests: 1000, observer }),
    functions: {
      call(name): CallResult {
        const entry = Object.hasOwn(setup.functions, name) ? setup.functions[name] : undefined;
        return entry
          ? { ok: true, text: entry(), isJson: false }
          : { ok: false, code: "unknown_function", executed: "no" };
      },
    },
    observer,
    refusalClock: new RefusalClock(0),
    ...(nowSeconds === undefined ? {} : { clock: () => nowSeconds() * 1000 }),
  });
  return {
    refusals,
    async endpoint(request, peerAddress): Promise<Response> {
      const response = await endpoint(request, peerAddress);
      close();
      return response;
    },
  };
}
