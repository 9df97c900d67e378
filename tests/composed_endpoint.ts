/**
 * @module
 * The endpoint as the server composes it, in the test's own process, with a clock and functions of the
 * test.
 */
import { composeEndpoint } from "../lib/composition.ts";
import { type LimitSettings, settingsFrom } from "../lib/config/settings.ts";
import { Aead } from "../lib/crypto/aead.ts";
import type { Box } from "../lib/crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../lib/crypto/keys.ts";
import { loadSodium } from "../lib/crypto/sodium.ts";
import type { CallRequest, CallResult, DescribedFunction } from "../lib/functions/types.ts";
import type { Endpoint } from "../lib/http/endpoint.ts";
import type { InviteDesk } from "../lib/keys/invite_desk.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { NO_RULES } from "../lib/keys/policy.ts";
import { type Observer, SILENT } from "../lib/observer.ts";
import type { RefusalCode } from "../lib/refusals.ts";
import { RefusalClock } from "../lib/limits/refusal_clock.ts";
import type { Tickets } from "../lib/protocol/tickets.ts";
import { MemoryClaims } from "../lib/replay/memory.ts";

/** What an endpoint of a test knows. */
export interface EndpointSetup {
  readonly box: Box;
  readonly serverPrivateKey: PrivateKey;
  readonly clients: readonly PublicKey[];
  readonly secrets: readonly string[];
  /** What each gives: text, or how the call ended. */
  readonly functions: Readonly<Record<string, (request: CallRequest) => string | CallResult>>;
  readonly nowSeconds?: () => number;
  /** The server's key for protocol v2. */
  readonly handshakeKey?: PrivateKey;
  readonly limits?: Partial<LimitSettings>;
  /** Who lets unknown senders join; nobody without. */
  readonly invites?: (keyring: Keyring) => InviteDesk;
  /** What the server lists. */
  readonly described?: readonly DescribedFunction[];
}

const aead = new Aead(await loadSodium());

/** Composes an endpoint; `refusals` collects the codes that went to the observer. */
export function makeEndpoint(
  setup: EndpointSetup,
): { endpoint: Endpoint; refusals: RefusalCode[]; keyring: Keyring; tickets: Tickets } {
  const { box, serverPrivateKey, nowSeconds } = setup;
  const keyring = new Keyring(box, serverPrivateKey);
  for (const publicKey of setup.clients) {
    keyring.addKey(publicKey, { client: { about: { file: "client_1.pub", policy: NO_RULES } } });
  }
  for (const secret of setup.secrets) keyring.addSecret(secret as SecretHex);
  const refusals: RefusalCode[] = [];
  const observer: Observer = { ...SILENT, refused: ({ code }) => void refusals.push(code) };
  const { settings } = settingsFrom({ options: [], faults: [] }, "config.ini");
  const wide = { failuresPerMinute: 1_000_000, searchPercent: 100 };
  const limits = { ...settings.limits, ...wide, ...setup.limits };
  const { endpoint, close, handshakeKeys, tickets } = composeEndpoint({
    settings: { ...settings, limits },
    box,
    aead,
    privateKey: serverPrivateKey,
    keyring,
    claims: new MemoryClaims({ box, windowRequests: 1000, entryRequests: 1000, observer }),
    functions: {
      call(name, request): CallResult {
        const entry = Object.hasOwn(setup.functions, name) ? setup.functions[name] : undefined;
        if (entry === undefined) return { ok: false, code: "unknown_function", executed: "no" };
        const result = entry(request);
        return typeof result === "string"
          ? { ok: true, bytes: new TextEncoder().encode(result), isJson: false }
          : result;
      },
      isRegistered: (name) => Object.hasOwn(setup.functions, name),
      describe: () => setup.described ?? [],
    },
    ...setup.invites === undefined ? {} : { invites: setup.invites(keyring) },
    observer,
    refusalClock: new RefusalClock(0),
    ...(nowSeconds === undefined ? {} : {
      clock: () => nowSeconds() * 1000,
      ticketClock: () => nowSeconds() * 1000,
    }),
  });
  if (setup.handshakeKey !== undefined) handshakeKeys.use([setup.handshakeKey]);
  return {
    refusals,
    keyring,
    tickets,
    async endpoint(request, peerAddress): Promise<Response> {
      const response = await endpoint(request, peerAddress);
      close();
      return response;
    },
  };
}
