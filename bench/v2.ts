/**
 * @module
 * The v2 part: what calls with a ticket and hellos of protocol v2 cost the server, beside a call of v1.
 */
import { join } from "node:path";
import { callNonce, CALLS_PER_TICKET, padText, sealCall } from "../client/messages.ts";
import { pairOf, randomBytes } from "../client/primitives.ts";
import { Hello, type Session } from "../client/session.ts";
import { Aead } from "../lib/crypto/aead.ts";
import { readPublicKey } from "../lib/crypto/key_file.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { loadSodium } from "../lib/crypto/sodium.ts";
import { type Effort, WARM_ANSWERS } from "./course.ts";
import { type Load, type LoadResult, runWrk } from "./load.ts";
import { makeRow, type Row } from "./rows.ts";
import { measure, mergeTurns, type Sample, takeTurns } from "./rounds.ts";
import {
  type BenchKeys,
  installConstant,
  makeKeys,
  makeStore,
  sealRequests,
  writeBodies,
} from "./store.ts";
import { measureAlone, startSubject, type Subject, waitUntilServing } from "./subject.ts";

const CALL_CONNECTIONS = 32;

/**
 * Enough to keep a server busy, since what it does in between is not the cost of a hello: refusals are held
 * for 20 to 30 ms.
 */
const HELLO_CONNECTIONS = { registered: 32, unknown: 400 } as const;
/** Fewer than hellos: the generator stops with the last of them, whatever is answered by then. */
const BRIEF_HELLO_CONNECTIONS = 2;
/** Hellos are sent again and again: a copy costs the server as much as the first one. */
const HELLOS = 200;
const BRIEF_HELLOS = 10;
/** Calls a second that are prepared at first; later, more than the fastest server answered before. */
const FIRST_GUESS = 60_000;
const MARGIN = 1.5;
const LEAST = 60_000;
/** Requests of one measurement where only whether it runs is of interest. */
const BRIEF_REQUESTS = 100;
const CONFIG = "[Proxy]\nForwardFor=1\n[Limits]\nFailuresPerMinute=1000000\nSearchPercent=100\n";
const TEXT = '{"jsonrpc":"2.0","method":"time_test","id":1}';

/** A server that knows one client, one that knows many, and another one of those for hellos alone. */
const SERVERS = ["one", "many", "greeter"] as const;
type ServerName = typeof SERVERS[number];

/** Servers that know the same client. */
interface Servers {
  readonly keys: BenchKeys;
  readonly subjects: Readonly<Record<ServerName, Subject>>;
  readonly aead: Aead;
  /** Public keys of the servers for v2. */
  readonly serverKeys: Readonly<Record<ServerName, Uint8Array<ArrayBuffer>>>;
}

/** What is called, among what is measured. */
const CALLS = ["v1 call", "1 client", "many"] as const;
const MOST_FIRST_ROUNDS = 10;

/** How long a measurement takes. */
type Form = Pick<Effort, "seconds" | "isBrief">;
/** … and how many calls are prepared for it. */
type CallForm = Form & { readonly count: number };

/** Measures the rows of protocol v2. */
export async function runV2(
  folder: string,
  line: readonly string[],
  effort: Effort,
): Promise<Row[]> {
  const home = await Deno.makeTempDir({ dir: folder, prefix: "v2-" });
  const keys = makeKeys(1);
  const started: [ServerName, Subject][] = [];
  const serverKeys: [ServerName, Uint8Array<ArrayBuffer>][] = [];
  try {
    for (const name of SERVERS) {
      const place = join(home, name);
      const count = name === "one" ? 1 : effort.clients;
      await makeStore(place, { count, senderCount: 1, config: CONFIG, keys });
      await installConstant(place);
      const subject = await startSubject(line, place);
      started.push([name, subject]);
      await waitUntilServing(subject);
      serverKeys.push([name, await readPublicKey(join(place, "sec/server2.pub"))]);
    }
    return await measureAll(join(home, "bodies"), {
      keys,
      subjects: Object.fromEntries(started) as Servers["subjects"],
      aead: new Aead(await loadSodium()),
      serverKeys: Object.fromEntries(serverKeys) as Servers["serverKeys"],
    }, effort);
  } finally {
    for (const [, subject] of started) await subject.stop();
  }
}

async function measureAll(bodies: string, servers: Servers, effort: Effort): Promise<Row[]> {
  const { rounds, seconds: turns, clients, isBrief } = effort;
  const form = { seconds: 1, isBrief };
  let perSecond = isBrief ? BRIEF_REQUESTS : FIRST_GUESS;
  const calls = async (
    send: (calls: CallForm) => Promise<Sample>,
  ): Promise<Sample> => await send({ ...form, count: Math.ceil(perSecond) });
  const take = {
    "v1 call": () => calls((each) => takeV1(bodies, servers, each)),
    "1 client": () => calls((each) => takeCalls(bodies, servers, "one", each)),
    many: () => calls((each) => takeCalls(bodies, servers, "many", each)),
    hello: () => takeHellos(bodies, servers, servers.keys.senders[0]?.privateKey, form),
    unknown: () => takeHellos(bodies, servers, generateKeyPair().privateKey, form),
  };
  const names = Object.keys(take) as (keyof typeof take)[];
  // Programs are measured when they are warm; a machine that is too slow for that is measured as it is.
  let answers = isBrief ? Infinity : 0;
  for (let round = 0; answers < WARM_ANSWERS && round < MOST_FIRST_ROUNDS; round++) {
    const first = await takeTurns(CALLS, 1, { take: (name) => take[name]() });
    const rates = Object.values(first).flat().map(({ requestsPerSecond }) => requestsPerSecond);
    answers += Math.min(...rates);
    perSecond = Math.max(LEAST, MARGIN * Math.max(...rates));
  }
  const taken = await takeTurns(names, rounds * turns, { take: (name) => take[name]() });
  const samples = (name: keyof typeof take): Sample[] => mergeTurns(taken[name], turns);
  const registered = `${clients.toLocaleString("en")} clients`;
  const row = (name: string, ours: keyof typeof take, theirs?: keyof typeof take): Row =>
    makeRow(
      { name, unit: "µs", of: ({ cpuMicros }) => cpuMicros },
      samples(ours),
      theirs && { name: theirs, taken: samples(theirs) },
    );
  return [
    row("CPU time of a v2 call", "1 client", "v1 call"),
    row(`CPU time of a v2 call, ${registered}`, "many", "1 client"),
    row(`a hello of v2, ${registered}`, "hello"),
    row(`a hello of an unknown sender, ${registered}`, "unknown"),
  ];
}

async function takeV1(
  bodies: string,
  servers: Servers,
  { count, ...form }: CallForm,
): Promise<Sample> {
  const { keys } = servers;
  await writeBodies(bodies, sealRequests(keys, keys.senders, count));
  const load = { ...form, bodies, connections: CALL_CONNECTIONS };
  return await send(servers, "one", load, "answers");
}

async function takeCalls(
  bodies: string,
  servers: Servers,
  name: ServerName,
  { count, ...form }: CallForm,
): Promise<Sample> {
  const messages: Uint8Array[] = [];
  while (messages.length < count) {
    const session = await openSession(servers, name);
    const rest = Math.min(CALLS_PER_TICKET, count - messages.length);
    for (let number = 0; number < rest; number++) {
      messages.push(sealCall(servers.aead, session.keys.toResponder, {
        ticket: session.ticket,
        nonce: callNonce(number, crypto.getRandomValues(new Uint8Array(20))),
        plaintext: padText(TEXT),
      }));
    }
  }
  const messageBytes = await writeMessages(bodies, messages);
  const load = { ...form, bodies, messageBytes, connections: CALL_CONNECTIONS };
  return await send(servers, name, load, "answers");
}

async function takeHellos(
  bodies: string,
  servers: Servers,
  privateKey: Uint8Array = new Uint8Array(),
  form: Form,
): Promise<Sample> {
  const { subjects: { greeter }, serverKeys } = servers;
  const staticPair = pairOf(privateKey);
  const hellos = Array.from(
    { length: form.isBrief ? BRIEF_HELLOS : HELLOS },
    () => new Hello({ serverKey: serverKeys.greeter, staticPair }).body,
  );
  const messageBytes = await writeMessages(bodies, hellos);
  const isRegistered = await isWelcome(greeter, hellos[0] ?? new Uint8Array());
  const connections = HELLO_CONNECTIONS[isRegistered ? "registered" : "unknown"];
  const load = {
    ...form,
    bodies,
    messageBytes,
    connections: form.isBrief ? BRIEF_HELLO_CONNECTIONS : connections,
    hasAddresses: true,
  };
  return await send(servers, "greeter", load, isRegistered ? "answers" : "refusals");
}

async function openSession(
  { keys, serverKeys, subjects }: Servers,
  name: ServerName,
): Promise<Session> {
  const staticPair = pairOf(keys.senders[0]?.privateKey ?? randomBytes(32));
  const hello = new Hello({ serverKey: serverKeys[name], staticPair });
  const response = await post(subjects[name], hello.body);
  return hello.finish(await response.bytes(), performance.now());
}

async function isWelcome(subject: Subject, hello: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const { status, body } = await post(subject, hello);
  await body?.cancel();
  return status === 200;
}

async function post({ url }: Subject, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const headers = { "content-type": "application/octet-stream" };
  return await fetch(url.replace(/\/v1$/, "/v2"), { method: "POST", body, headers });
}

/** @returns the bytes of each message, which all have the same length */
async function writeMessages(path: string, messages: readonly Uint8Array[]): Promise<number> {
  const length = messages[0]?.length ?? 0;
  if (messages.some((each) => each.length !== length)) throw new Error("messages differ in length");
  const bytes = new Uint8Array(length * messages.length);
  messages.forEach((each, i) => bytes.set(each, i * length));
  await Deno.writeFile(path, bytes);
  return length;
}

async function send(
  { subjects }: Servers,
  name: ServerName,
  load: Omit<Load, "url">,
  expected: "answers" | "refusals",
): Promise<Sample> {
  const subject = subjects[name];
  const run = async (): Promise<LoadResult> => {
    const result = await runWrk({ ...load, url: subject.url });
    const wrong = expected === "answers" ? result.refused : result.requests - result.refused;
    if (wrong > (load.isBrief === true ? load.connections : 0)) {
      throw new Error(`${wrong} of ${result.requests} requests got no ${expected}`);
    }
    return result;
  };
  return await measureAlone(subject, Object.values(subjects), () => measure(subject, run));
}
