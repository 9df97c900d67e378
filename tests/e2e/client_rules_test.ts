/**
 * Rules of clients with the real server, in both protocols: one table behind one start, and changes while
 * the server runs.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import type { Connection } from "../../client/mod.ts";
import { waitUntil, writeModules } from "../functions.ts";
import { mspOk, ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";
import type { TestClient } from "../v1_client.ts";
import { connectTo } from "../v2_client.ts";
import { errorOf } from "../v2_server.ts";

const MODULES = {
  time_test: "export const entry_call = () => 'now';",
  light_on: "export const entry_call = () => 'on';",
  light_alarm: "export const entry_call = () => 'alarm';",
  who: "export const entry_call = ({ client }) => client ?? 'nobody';",
  slow: "export const entry_call = () => new Promise((done) => setTimeout(done, 2500, 'done'));",
};
const CONFIG = `[Clients]
Functions=time_*, light_*, slow, who, !light_alarm
[Proxy]
ForwardFor=1
[Admin]
Listen=127.0.0.1:0
[Log]
Calls=yes
Format=json
`;

/** A server whose key store is written by hand. */
class RuledServer {
  #next = 100;

  private constructor(
    readonly folder: TempFolder,
    readonly server: ServerProcess,
    readonly registered: TestClient,
    readonly serverKey: string,
  ) {}

  static async start(
    folder: TempFolder,
    prepare: (add: (rules: readonly string[]) => Promise<Uint8Array>) => Promise<void> =
      async () => {},
  ): Promise<RuledServer> {
    const registered = await registerClient(folder);
    const serverKey = (await folder.read("sec/server2.pub")).trim();
    await folder.write("config/config.ini", CONFIG);
    await writeModules(folder, { modules: MODULES, sections: "[who]\nCaller=name\n" });
    let next = 1000;
    await prepare(async (rules) => {
      const { publicKey, secretKey } = nacl.box.keyPair();
      for (const each of rules) {
        await folder.write(`sec/client_${next++}.pub`, fileOf(publicKey, each));
      }
      return secretKey;
    });
    const server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/Functions: time_test/);
    return new RuledServer(folder, server, registered, serverKey);
  }

  /** Adds a client, and gives what it calls with. */
  async add(rules: string): Promise<{ client: RuledClient; file: string }> {
    const { publicKey, secretKey } = nacl.box.keyPair();
    const file = `client_${this.#next++}.pub`;
    await this.folder.write(`sec/${file}`, fileOf(publicKey, rules));
    return { client: this.clientOf(secretKey), file };
  }

  clientOf(secretKey: Uint8Array, from = "192.0.2.1"): RuledClient {
    return new RuledClient(this, secretKey, from);
  }

  /** Writes a client's file in place. */
  async change(file: string, { publicKey }: RuledClient, rules: string): Promise<void> {
    await this.folder.write(`sec/${file}`, fileOf(publicKey, rules));
  }

  async metric(name: string): Promise<number> {
    const url = /Health and metrics on (http:[^"\s]+)/.exec(this.server.err)?.[1] ?? "";
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

function fileOf(publicKey: Uint8Array, rules: string): string {
  return `${Buffer.from(publicKey).toString("base64")}\n${rules}`;
}

/** One key, in both protocols. */
class RuledClient {
  readonly publicKey: Uint8Array;
  readonly v2: Connection;
  readonly #client: TestClient;

  constructor(readonly server: RuledServer, secretKey: Uint8Array, readonly from: string) {
    this.publicKey = nacl.box.keyPair.fromSecretKey(secretKey).publicKey;
    this.#client = { ...server.registered, secretKey };
    const privateKey = Buffer.from(secretKey).toString("base64");
    this.v2 = connectTo(server.server.url, { serverKey: server.serverKey, privateKey, name: "x" }, {
      fetch(url, init): Promise<Response> {
        const headers = new Headers(init.headers);
        headers.set("x-forwarded-for", from);
        return fetch(url, { ...init, headers });
      },
    });
  }

  /** The answer of v1, or the status. */
  async v1(name: string): Promise<string | number> {
    const headers = { "x-forwarded-for": this.from };
    return await callServer(this.server.server.url, this.#client, name, headers);
  }

  /** The answer of v2, or the code of its error with what the server says of it. */
  async call(name: string): Promise<unknown> {
    return await this.v2.call(name).catch(({ code, data }) =>
      data === undefined ? code : [code, data]
    );
  }
}

const FUTURE = "expires = 2099-01-01", PAST = "expires = 2020-01-01";

/** `rules` of each file of the key; calls the function so many times, and looks at the last answer. */
interface Case {
  readonly why: string;
  readonly rules: readonly string[];
  readonly name: string;
  readonly from?: string;
  readonly times?: number;
  /** The answer, or the code of the refusal in v1. */
  readonly v1: string;
  /** The answer or the error in v2; the answer of v1 where absent. */
  readonly v2?: unknown;
}

const NOT_ALLOWED = { v1: "function_not_allowed", v2: "not-found" };
const EXPIRED = { v1: "client_expired", v2: ["refused", "key expired"] };
const ELSEWHERE = { v1: "client_source", v2: ["refused", "not from this address"] };
const SHUT_OUT = { v1: "unknown_sender", v2: "refused" };

const CASES: readonly Case[] = [
  { why: "no rules: the default", rules: [""], name: "time_test", v1: "now" },
  { why: "no rules: the default denies", rules: [""], name: "light_alarm", ...NOT_ALLOWED },
  { why: "its own rule", rules: ["functions = light_alarm"], name: "light_alarm", v1: "alarm" },
  {
    why: "and nothing else",
    rules: ["functions = light_alarm"],
    name: "time_test",
    ...NOT_ALLOWED,
  },
  { why: "everything", rules: ["functions = *"], name: "light_alarm", v1: "alarm" },
  { why: "a glob", rules: ["functions = light_*"], name: "light_on", v1: "on" },
  {
    why: "a glob, another name",
    rules: ["functions = light_*"],
    name: "time_test",
    ...NOT_ALLOWED,
  },
  { why: "! wins", rules: ["functions = *, !light_*"], name: "light_on", ...NOT_ALLOWED },
  { why: "! alone allows the rest", rules: ["functions = !light_*"], name: "time_test", v1: "now" },
  { why: "case-insensitive", rules: ["functions = TIME_Test"], name: "time_TEST", v1: "now" },
  {
    why: "unknown, and allowed",
    rules: ["functions = *"],
    name: "nope",
    v1: "unknown_function",
    v2: "not-found",
  },
  { why: "unknown, not allowed", rules: ["functions = x"], name: "nope", ...NOT_ALLOWED },
  { why: "not expired", rules: [FUTURE], name: "time_test", v1: "now" },
  { why: "expired", rules: [PAST], name: "time_test", ...EXPIRED },
  {
    why: "expired, whatever is allowed",
    rules: [`${PAST}\nfunctions = *`],
    name: "nope",
    ...EXPIRED,
  },
  {
    why: "from here",
    rules: ["from = 198.51.100.0/24"],
    name: "time_test",
    from: "198.51.100.9",
    v1: "now",
  },
  { why: "from elsewhere", rules: ["from = 198.51.100.0/24"], name: "time_test", ...ELSEWHERE },
  {
    why: "an IPv6 network",
    rules: ["from = 10.0.0.1, 2001:db8::/32"],
    name: "time_test",
    from: "2001:db8::7",
    v1: "now",
  },
  {
    why: "another IPv6 network",
    rules: ["from = 10.0.0.1, 2001:db8::/32"],
    name: "time_test",
    from: "2001:db9::7",
    ...ELSEWHERE,
  },
  { why: "not the proxy's address", rules: ["from = 127.0.0.1"], name: "time_test", ...ELSEWHERE },
  { why: "within the rate", rules: ["rate = 3/day"], name: "time_test", times: 3, v1: "now" },
  {
    why: "beyond the rate",
    rules: ["rate = 3/day"],
    name: "time_test",
    times: 4,
    v1: "client_rate",
    v2: "busy",
  },
  {
    why: "what is not allowed counts too",
    rules: ["rate = 1/day\nfunctions = x"],
    name: "time_test",
    times: 2,
    v1: "client_rate",
    v2: "busy",
  },
  { why: "a name", rules: ["name = Anna's phone"], name: "who", v1: "Anna's phone" },
  { why: "no name", rules: [""], name: "who", v1: "nobody" },
  { why: "a note and a comment", rules: ["# x\nadded = today"], name: "time_test", v1: "now" },
  { why: "a misspelt rule", rules: ["fucntions = *"], name: "time_test", ...SHUT_OUT },
  { why: "a malformed value", rules: ["rate = often"], name: "time_test", ...SHUT_OUT },
  { why: "a rule twice", rules: [`${FUTURE}\n${FUTURE}`], name: "time_test", ...SHUT_OUT },
  { why: "two files", rules: ["functions = *", ""], name: "time_test", v1: "now" },
  { why: "the stricter one", rules: ["functions = *", ""], name: "light_alarm", ...NOT_ALLOWED },
  { why: "two files, one expired", rules: ["functions = *", PAST], name: "who", ...EXPIRED },
  { why: "two files, one malformed", rules: ["", "x"], name: "time_test", ...SHUT_OUT },
];

async function checkBatch({ v2 }: RuledClient): Promise<void> {
  assert.deepEqual((await v2.functions()).map(({ name }) => name), ["light_on"]);
  const document = await v2.call<{ methods: { name: string }[] }>("rpc.discover");
  assert.deepEqual(document.methods.map(({ name }) => name), ["light_on"]);
  const outcomes = await v2.batch([["light_on"], ["light_alarm"], ["light_on"]]);
  assert.deepEqual(
    outcomes.map((each) => each.status === "fulfilled" ? each.value : each.reason.code),
    ["on", "not-found", "busy"],
    "a batch is ruled call by call",
  );
}

Deno.test("rules hold in both protocols: functions, expiry, source, rate, and what is malformed", async () => {
  assert.equal(CASES.length, 33);
  const keys: { v1: Uint8Array; v2: Uint8Array }[] = [];
  let batch: Uint8Array = new Uint8Array();
  await using folder = await TempFolder.make();
  await using ruled = await RuledServer.start(folder, async (add) => {
    for (const { rules } of CASES) keys.push({ v1: await add(rules), v2: await add(rules) });
    batch = await add(["functions = light_*, !light_alarm\nrate = 2/day"]);
  });
  await checkBatch(ruled.clientOf(batch));
  const codes = new Map<string, number>();
  const answers = await Promise.all(CASES.map(async (each, index) => {
    const { name, from = `192.0.2.${index + 1}`, times = 1 } = each;
    const key = keys[index];
    assert.ok(key !== undefined);
    const v1 = ruled.clientOf(key.v1, from), v2 = ruled.clientOf(key.v2, from);
    let last: unknown[] = [];
    for (let i = 0; i < times; i++) last = [await v1.v1(name), await v2.call(name)];
    return last;
  }));
  for (const [index, { why, v1, v2 = v1 }] of CASES.entries()) {
    const [first, second] = answers[index] ?? [];
    const code = v1.includes("_") ? v1 : undefined;
    if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
    assert.equal(first, code === undefined ? v1 : 401, `v1: ${why}`);
    if (v2 === "busy" && Array.isArray(second)) {
      assert.equal(second[0], v2, `v2: ${why}`);
      const { retryAfterMs } = second[1];
      assert.ok(retryAfterMs > 20_000_000 && retryAfterMs <= 86_400_000, `${why}: ${retryAfterMs}`);
    } else assert.deepEqual(second, v2, `v2: ${why}`);
  }
  // A call that was refused before the last one.
  codes.set("function_not_allowed", (codes.get("function_not_allowed") ?? 0) + 1);
  assert.ok(codes.size >= 6);
  for (const [code, count] of codes) {
    const sample = `msp_requests_total{protocol="v1",outcome="refused",reason="${code}"}`;
    assert.equal(await ruled.metric(sample), count, code);
  }
  assert.match(
    ruled.server.err,
    /client_\d+\.pub: line 2 is not a rule: expected name, .* refuses/,
  );
  assert.match(ruled.server.err, /Anna's phone called who: ok, [\d.]+ ms, reference [0-9a-f]{8}/);
  assert.doesNotMatch(ruled.server.err, /nope/, "the name of no function is the sender's text");

  await ruled.server.stop();
  assert.equal(await folder.mode("sec/state/last-use"), "600");
  const listed = JSON.parse(await mspOk(["listclients", "--json"], { cwd: folder.path }));
  const anna = listed.find(({ name }: { name: string | null }) => name === "Anna's phone");
  assert.ok(Math.abs(Date.now() - Date.parse(anna.last_use)) < 60_000, anna.last_use);
  const shutOut = listed.find(({ fault }: { fault: string | null }) => fault !== null);
  assert.equal(shutOut.last_use, null, "it was not let in");
});

Deno.test("rules that change count at once, for open tickets and calls in flight too", async () => {
  await using folder = await TempFolder.make();
  await using ruled = await RuledServer.start(folder);
  const { client, file } = await ruled.add("name = phone");
  await waitUntil(async () => await client.v1("who") === "phone", "the client is registered");
  assert.equal(await client.call("who"), "phone");
  const soon = async (rules: string, v1: string | number, v2: unknown): Promise<void> => {
    await ruled.change(file, client, rules);
    await waitUntil(async () => await client.v1("time_test") === v1, `v1: ${rules}`);
    assert.deepEqual(await client.call("time_test"), v2, rules);
  };
  const inFlight = async (): Promise<void> => {
    const queue = 'msp_function_queue_length{function="slow"}';
    await waitUntil(async () => await ruled.metric(queue) === 2, "both calls run");
  };
  // The rule says less than before: a call that was allowed is answered.
  const allowed = [client.v1("slow"), client.call("slow")];
  await inFlight();
  await soon("functions = who", 401, "not-found");
  assert.deepEqual(await Promise.all(allowed), ["done", "done"]);
  await soon("", "now", "now");
  await soon(PAST, 401, "session-lost");
  assert.deepEqual(await client.call("time_test"), ["refused", "key expired"]);
  await soon(FUTURE, "now", "now");
  // The client is shut out: calls in flight get no answer.
  const refused = [client.v1("slow"), errorOf(client.v2.call("slow", {}, { idempotent: false }))];
  await inFlight();
  await soon("functions = time_test\nnmae = x", 401, "session-lost");
  const [v1, v2] = await Promise.all(refused);
  assert.equal(v1, 401);
  assert.ok(v2 instanceof Error && "code" in v2 && v2.code === "session-lost");
  const shutOut = ruled.server.err.match(/"message":"[^"]*line 3 is not a rule: expected name/g);
  assert.equal(shutOut?.length, 1, "the log says so once");
});
