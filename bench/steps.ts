/**
 * @module
 * The steps of a call, without a function process: `steps.ts STEP`, started in a server's folder. Each
 * step does what the previous one does and one thing more, with the code of the server.
 */
import { Aead } from "../lib/crypto/aead.ts";
import { loadSodium } from "../lib/crypto/sodium.ts";
import { composeEndpoint } from "../lib/composition.ts";
import { readSettings } from "../lib/config/settings.ts";
import { Box, type SharedKey } from "../lib/crypto/box.ts";
import { readPrivateKey, readPublicKey, readSecret } from "../lib/crypto/key_file.ts";
import { NonceMark } from "../lib/crypto/nonce_mark.ts";
import { Keyring } from "../lib/keys/keyring.ts";
import { LogObserver } from "../lib/log_observer.ts";
import { encodeResponse, RequestParser, type SealedRequest } from "../lib/protocol/v1_messages.ts";
import { MemoryClaims } from "../lib/replay/memory.ts";
import { CONSTANT_TEXT } from "./store.ts";

type Info = Deno.ServeHandlerInfo<Deno.NetAddr>;
type Handler = (request: Request, info: Info) => Response | Promise<Response>;

const HEADERS: [string, string][] = [["content-type", "application/json"]];
/** An answer of the usual length. */
const FIXED_BODY = `{"value":"${"A".repeat(112)}"}`;
const RESULT = new TextEncoder().encode(CONSTANT_TEXT);
const box = await Box.load();
const privateKey = await readPrivateKey("sec/server.key");
const clientKey = await readPublicKey("sec/client_1.pub");
const key = box.deriveSharedKey(clientKey, privateKey) as SharedKey;
const nonceMark = new NonceMark(box, privateKey);
const parser = new RequestParser();

/** Reads what the endpoint looks at: URL, headers, address, body. */
async function readAll(request: Request, { remoteAddr }: Info): Promise<string> {
  const { pathname } = new URL(request.url);
  const isWanted = pathname === "/v1" && request.headers.get("content-type") !== null &&
    request.headers.get("content-length") !== null && remoteAddr.hostname !== "";
  if (!isWanted) throw new Error("not a request of the benchmark");
  return await request.text();
}

async function parseAll(request: Request, info: Info): Promise<SealedRequest> {
  const parsed = parser.parse(await readAll(request, info));
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.message;
}

async function openAll(request: Request, info: Info): Promise<void> {
  const { id, check, ts, entry } = await parseAll(request, info);
  if (box.openAll(key, [check, id, ts, entry]) === undefined) throw new Error("does not open");
}

function answerWith(body: string): Response {
  return new Response(body, { headers: HEADERS });
}

/** Everything that the server does, with a constant in place of the function process. */
async function makeWholeAnswer(): Promise<Handler> {
  const { settings } = await readSettings("config/config.ini");
  const { rememberedRequests, rememberedEntries } = settings.limits;
  const observer = new LogObserver();
  const keyring = new Keyring(box, privateKey);
  keyring.addKey(clientKey);
  keyring.addSecret(await readSecret("sec/clients.dev"));
  const folder = await Deno.makeTempDir({ dir: "." });
  const claims = new MemoryClaims({
    box,
    journal: { folder },
    windowRequests: rememberedRequests,
    entryRequests: rememberedEntries,
    observer,
  });
  const result = { ok: true, bytes: RESULT, isJson: false } as const;
  const functions = { call: () => result, describe: () => [], isRegistered: () => true };
  const { endpoint } = composeEndpoint({
    settings,
    box,
    aead: new Aead(await loadSodium()),
    privateKey,
    keyring,
    claims,
    functions,
    observer,
  });
  return (request, { remoteAddr }) => endpoint(request, remoteAddr.hostname);
}

const STEPS: Readonly<Record<string, () => Handler | Promise<Handler>>> = {
  echo: () => async (request) => Response.json(await request.json()),
  read: () => async (request, info) => {
    await readAll(request, info);
    return answerWith(FIXED_BODY);
  },
  json: () => async (request, info) => {
    if (JSON.parse(await readAll(request, info)) === null) throw new Error("no object");
    return answerWith(FIXED_BODY);
  },
  base64: () => async (request, info) => {
    await parseAll(request, info);
    return answerWith(FIXED_BODY);
  },
  open: () => async (request, info) => {
    await openAll(request, info);
    return answerWith(FIXED_BODY);
  },
  seal: () => async (request, info) => {
    await openAll(request, info);
    return answerWith(
      encodeResponse(box.sealView(key, nonceMark.make(), RESULT)),
    );
  },
  answer: makeWholeAnswer,
};

const makeHandler = STEPS[Deno.args[0] ?? ""];
if (makeHandler === undefined) throw new Error(`expected one of ${Object.keys(STEPS).join(", ")}`);
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  await makeHandler(),
);
// deno-lint-ignore no-console -- the ready line of a helper program
console.log(`ready on http://127.0.0.1:${server.addr.port}/v1`);
