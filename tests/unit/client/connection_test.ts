import assert from "node:assert/strict";
import { CallError, type CallErrorCode, Connection, type Executed } from "../../../client/mod.ts";
import type { CallOptions } from "../../../client/mod.ts";
import { concat, toHex } from "../../../client/bytes.ts";
import { Deadline } from "../../../client/deadline.ts";
import { pairOf } from "../../../client/primitives.ts";
import { useProfile } from "../../../client/profile.ts";
import { Sessions } from "../../../client/sessions.ts";
import { Transport } from "../../../client/transport.ts";
import {
  changed,
  errorOf,
  type Fate,
  lostAfter,
  lostBefore,
  notConnected,
  silent,
  status,
  TestClock,
  TestServer,
} from "../../v2_server.ts";

const deliver: Fate = (answer) => answer();

function connectionTo(server: TestServer, clock = new TestClock()): Connection {
  return new Connection(server.profile, { fetch: server.fetch, clock });
}

Deno.test("call() gives results as JSON has them", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  assert.deepEqual(await home.call("echo", { n: 1, s: "ü", a: [null, true] }), {
    n: 1,
    s: "ü",
    a: [null, true],
  });
  assert.equal(await home.call("echo"), null);
  assert.equal(server.hellos, 1, "one hello for both");
});

Deno.test("many calls at once share one hello", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const results = await Promise.all(numbers.map((n) => home.call("echo", { n })));
  assert.deepEqual(results, numbers.map((n) => ({ n })));
  assert.equal(server.hellos, 1);
  assert.equal(server.requests, 51);
});

Deno.test("batch() gives an outcome for each call, in their order", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  const [first, second, third] = await home.batch([["echo", { n: 1 }], ["nope"], ["echo"]]);
  assert.deepEqual(first, { status: "fulfilled", value: { n: 1 } });
  assert.deepEqual(third, { status: "fulfilled", value: null });
  assert.ok(second?.status === "rejected" && second.reason instanceof CallError);
  assert.equal(second.reason.code, "not-found");
  assert.deepEqual(await home.batch([]), []);
  assert.equal(server.requests, 2);
});

Deno.test("functions() gives what the server lists", async () => {
  const server = new TestServer();
  server.list = [{ name: "echo", inputSchema: {} }];
  assert.deepEqual(await connectionTo(server).functions(), server.list);
});

interface Row {
  readonly why: string;
  /** What happens to hello and to the requests after it. */
  readonly fates: readonly Fate[];
  readonly code: CallErrorCode;
  readonly executed: Executed;
  /** How many times the function was asked. */
  readonly ran: number;
  readonly prepare?: (server: TestServer) => void;
  readonly options?: CallOptions;
  readonly params?: object;
  readonly message?: RegExp;
}

const answerError = (error: unknown) => (server: TestServer): void => {
  server.functions["echo"] = () => ({ error });
};
const raw = (text: string) => (server: TestServer): void => void (server.rawResponse = text);
const flip = (at: number): Fate =>
  changed((body) => {
    body[at < 0 ? body.length + at : at] = (body.at(at) ?? 0) ^ 1;
    return body;
  });

const ROWS: readonly Row[] = [
  // The hello fails: nothing was called.
  { why: "no connection", fates: [notConnected], code: "unreachable", executed: "no", ran: 0 },
  { why: "hello lost", fates: [lostBefore], code: "unreachable", executed: "no", ran: 0 },
  { why: "welcome lost", fates: [lostAfter], code: "unreachable", executed: "no", ran: 0 },
  { why: "hello refused", fates: [status(401)], code: "refused", executed: "no", ran: 0 },
  { why: "no such path", fates: [status(404)], code: "protocol", executed: "no", ran: 0 },
  { why: "bad gateway", fates: [status(502)], code: "unreachable", executed: "no", ran: 0 },
  { why: "gateway timeout", fates: [status(504)], code: "unreachable", executed: "no", ran: 0 },
  { why: "server error", fates: [status(500)], code: "protocol", executed: "no", ran: 0 },
  { why: "welcome changed", fates: [flip(-1)], code: "protocol", executed: "no", ran: 0 },
  { why: "e changed", fates: [flip(5)], code: "protocol", executed: "no", ran: 0 },
  { why: "kind changed", fates: [flip(0)], code: "protocol", executed: "no", ran: 0 },
  {
    why: "welcome empty",
    fates: [changed(() => new Uint8Array())],
    code: "protocol",
    executed: "no",
    ran: 0,
  },
  {
    why: "welcome cut",
    fates: [changed((body) => body.slice(0, 60))],
    code: "protocol",
    executed: "no",
    ran: 0,
  },
  {
    why: "a page of somebody else",
    fates: [changed(() => new TextEncoder().encode("<html>Sign in to this network</html>"))],
    code: "protocol",
    executed: "no",
    ran: 0,
  },
  {
    why: "key expired",
    fates: [],
    prepare: (server) => void (server.welcome = { status: "key expired" }),
    code: "refused",
    executed: "no",
    ran: 0,
    message: /key expired/,
  },
  {
    why: "not from this address",
    fates: [],
    prepare: (server) => void (server.welcome = { status: "not from this address" }),
    code: "refused",
    executed: "no",
    ran: 0,
  },
  {
    why: "a redirect to elsewhere",
    fates: [status(308, false, { location: "https://else.invalid/v2?x=1" })],
    code: "protocol",
    executed: "no",
    ran: 0,
    message: /redirects to https:\/\/else\.invalid\/v2$/,
  },
  {
    why: "a redirect to something else than a web server",
    fates: [status(307, false, { location: "data:text/plain,x" })],
    code: "protocol",
    executed: "no",
    ran: 0,
    message: /redirects to another address$/,
  },
  {
    why: "a redirect that makes a GET of it",
    fates: [status(302, false, { location: "/v2/" })],
    code: "protocol",
    executed: "no",
    ran: 0,
  },
  // The call fails on its way: nobody knows.
  {
    why: "no connection for the call",
    fates: [deliver, notConnected],
    code: "unreachable",
    executed: "no",
    ran: 0,
  },
  {
    why: "call lost",
    fates: [deliver, lostBefore],
    code: "unreachable",
    executed: "maybe",
    ran: 0,
  },
  {
    why: "answer lost",
    fates: [deliver, lostAfter],
    code: "unreachable",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "session lost",
    fates: [deliver, status(401)],
    code: "session-lost",
    executed: "maybe",
    ran: 0,
  },
  {
    why: "delivered, then refused in between",
    fates: [deliver, status(401, true)],
    code: "session-lost",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "bad gateway after delivery",
    fates: [deliver, status(502, true)],
    code: "unreachable",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "delivered, redirected, then no connection",
    fates: [deliver, status(307, true, { location: "/again" }), notConnected],
    code: "unreachable",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "a status of somebody else",
    fates: [deliver, status(403)],
    code: "protocol",
    executed: "maybe",
    ran: 0,
  },
  {
    why: "answer changed",
    fates: [deliver, flip(-1)],
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "answer cut",
    fates: [deliver, changed((body) => body.slice(0, 30))],
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "answer too long",
    fates: [deliver, changed((body) => concat(body, new Uint8Array(17 * 1024 * 1024)))],
    code: "too-large",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "authentic, but no JSON",
    fates: [],
    prepare: raw("{"),
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "authentic, but empty",
    fates: [],
    prepare: raw(""),
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "authentic, but of another call",
    fates: [],
    prepare: raw('{"jsonrpc":"2.0","result":1,"id":7}'),
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  // The server says what happened.
  {
    why: "unknown function",
    fates: [],
    prepare: (server) => void delete server.functions["echo"],
    code: "not-found",
    executed: "no",
    ran: 0,
  },
  {
    why: "params that do not fit",
    fates: [],
    prepare: answerError({ code: -32602, message: "Invalid params", data: { path: "/n" } }),
    code: "invalid-params",
    executed: "no",
    ran: 1,
  },
  {
    why: "busy",
    fates: [],
    prepare: answerError({ code: -32000, message: "Busy", data: { retryAfterMs: 250 } }),
    code: "busy",
    executed: "no",
    ran: 1,
  },
  {
    why: "failed",
    fates: [],
    prepare: answerError({ code: -32001, message: "The garage is locked", data: { door: 2 } }),
    code: "failed",
    executed: "yes",
    ran: 1,
    message: /^The garage is locked$/,
  },
  {
    why: "failed before it began",
    fates: [],
    prepare: answerError({ code: -32001, message: "x", data: { executed: "no" } }),
    code: "failed",
    executed: "no",
    ran: 1,
  },
  {
    why: "its time was over",
    fates: [],
    prepare: answerError({ code: -32002, message: "x", data: { timeoutMs: 100 } }),
    code: "timeout",
    executed: "yes",
    ran: 1,
  },
  {
    why: "result too large",
    fates: [],
    prepare: answerError({ code: -32003, message: "x", data: { maxResultBytes: 100 } }),
    code: "too-large",
    executed: "yes",
    ran: 1,
  },
  {
    why: "an error that nobody knows",
    fates: [],
    prepare: answerError({ code: -1, message: "x" }),
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "an error that is none",
    fates: [],
    prepare: answerError("x"),
    code: "protocol",
    executed: "maybe",
    ran: 1,
  },
  // What is not even sent.
  {
    why: "params that JSON has no form for",
    fates: [],
    params: { n: 1n },
    code: "invalid-params",
    executed: "no",
    ran: 0,
  },
  {
    why: "params by position",
    fates: [],
    params: [1],
    code: "invalid-params",
    executed: "no",
    ran: 0,
  },
  {
    why: "params larger than the server takes",
    fates: [],
    params: { text: "x".repeat(17_000) },
    code: "too-large",
    executed: "no",
    ran: 0,
  },
  // Repeated, because it may be, and failed again: the first attempt may have run.
  {
    why: "repeated, then not found",
    fates: [deliver, status(401, true)],
    prepare(server): void {
      const { fates } = server;
      fates.push((answer) => {
        delete server.functions["echo"];
        return answer();
      });
    },
    options: { idempotent: true },
    code: "not-found",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "repeated, hello refused",
    fates: [deliver, status(401, true), status(401)],
    options: { idempotent: true },
    code: "refused",
    executed: "maybe",
    ran: 1,
  },
  {
    why: "repeated once only",
    fates: [deliver, status(401, true), deliver, status(401, true), deliver, deliver],
    options: { idempotent: true },
    code: "session-lost",
    executed: "maybe",
    ran: 2,
  },
];

for (const { why, fates, prepare, options, params, code, executed, ran, message } of ROWS) {
  Deno.test(`call() ends with ${code}, executed ${executed}: ${why}`, async () => {
    const server = new TestServer();
    server.fates.push(...fates);
    prepare?.(server);
    const error = await errorOf(connectionTo(server).call("echo", params, options));
    assert.deepEqual([error.code, error.executed], [code, executed], error.message);
    assert.equal(server.ran.length, ran);
    if (message !== undefined) assert.match(error.message, message);
    if (error.ref !== undefined) assert.match(error.ref, /^[0-9a-f]{8}$/);
  });
}

Deno.test("every code and every value of executed is in the table", () => {
  const codes: readonly CallErrorCode[] = [
    "unreachable",
    "refused",
    "session-lost",
    "not-found",
    "invalid-params",
    "busy",
    "failed",
    "too-large",
    "protocol",
    "timeout",
  ];
  for (const code of codes) assert.ok(ROWS.some((row) => row.code === code), code);
  for (const executed of ["no", "maybe", "yes"]) {
    assert.ok(ROWS.some((row) => row.executed === executed), executed);
  }
});

Deno.test("errors carry what the server said, and the reference of the call", async () => {
  const server = new TestServer();
  answerError({ code: -32000, message: "Busy", data: { retryAfterMs: 250 } })(server);
  const error = await errorOf(connectionTo(server).call("echo"));
  assert.equal(error.retryAfterMs, 250);
  assert.deepEqual(error.data, { retryAfterMs: 250 });
  assert.match(error.ref ?? "", /^[0-9a-f]{8}$/);
});

Deno.test("a call that hangs ends after its own time, which includes the hello", async () => {
  for (
    const [fates, executed] of [[[silent(true)], "no"], [[deliver, silent(true)], "maybe"]] as const
  ) {
    const server = new TestServer(), clock = new TestClock();
    server.fates.push(...fates);
    const call = errorOf(connectionTo(server, clock).call("echo", {}, { timeoutMs: 2000 }));
    await until(() => server.fates.length === 0);
    clock.move(1999);
    assert.equal(await Promise.race([call, Promise.resolve("pending")]), "pending");
    clock.move(1);
    const error = await call;
    assert.deepEqual([error.code, error.executed], ["timeout", executed]);
    assert.match(error.message, /no answer within 2 s/);
    assert.equal(clock.timers, 0);
  }
});

Deno.test("a fetch that takes no notice of the signal is not waited for either", async () => {
  const server = new TestServer(), clock = new TestClock();
  server.fates.push(deliver, () => new Promise(() => {}));
  const call = errorOf(connectionTo(server, clock).call("echo"));
  await until(() => server.fates.length === 0);
  clock.move(30_000);
  assert.equal((await call).code, "timeout");
});

Deno.test("aborting rejects with the signal's reason, and leaves the session for others", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  const controller = new AbortController();
  server.fates.push(deliver, silent(false));
  const call = home.call("echo", {}, { signal: controller.signal });
  await until(() => server.fates.length === 0);
  const reason = new Error("changed my mind");
  controller.abort(reason);
  await assert.rejects(call, reason);
  await assert.rejects(home.call("echo", {}, { signal: controller.signal }), reason);
  assert.deepEqual(await home.call("echo", {}), {});
  assert.equal(server.hellos, 1);
});

Deno.test("a hello goes on as long as one of its calls waits, and ends with the last", async () => {
  const server = new TestServer(), clock = new TestClock();
  const home = connectionTo(server, clock);
  let isAborted = false;
  server.fates.push((_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        isAborted = true;
        reject(signal.reason);
      });
    })
  );
  const first = errorOf(home.call("echo", {}, { timeoutMs: 100 }));
  const second = errorOf(home.call("echo", {}, { timeoutMs: 200 }));
  await until(() => server.fates.length === 0);
  clock.move(100);
  assert.equal((await first).code, "timeout");
  assert.equal(isAborted, false);
  clock.move(100);
  assert.equal((await second).code, "timeout");
  await until(() => isAborted);
  assert.deepEqual(await home.call("echo", {}), {}, "the next call says hello again");
});

Deno.test("a lost ticket is renewed by the next call", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  await home.call("echo");
  server.restart();
  assert.equal((await errorOf(home.call("echo"))).code, "session-lost");
  assert.equal(await home.call("echo"), null);
  assert.equal(server.hellos, 2);
});

Deno.test("what is declared idempotent is repeated after a restart without the caller noticing", async () => {
  const rows: readonly [why: string, list: unknown, options: CallOptions, repeated: boolean][] = [
    ["by the caller", [], { idempotent: true }, true],
    ["by the function", [{ name: "Echo", annotations: { idempotentHint: true } }], {}, true],
    ["it only reads", [{ name: "echo", annotations: { readOnlyHint: true } }], {}, true],
    ["nobody says so", [{ name: "echo", annotations: { destructiveHint: false } }], {}, false],
    ["another function", [{ name: "other", annotations: { idempotentHint: true } }], {}, false],
    [
      "a hint that is not a boolean",
      [{ name: "echo", annotations: { idempotentHint: 1 } }],
      {},
      false,
    ],
    ["no list", null, {}, false],
    ["the caller knows better", [{ name: "echo", annotations: { readOnlyHint: true } }], {
      idempotent: false,
    }, false],
  ];
  for (const [why, list, options, repeated] of rows) {
    const server = new TestServer();
    server.list = list;
    const home = connectionTo(server);
    await home.open();
    server.restart();
    const call = home.call("echo", { n: 1 }, options);
    if (repeated) assert.deepEqual(await call, { n: 1 }, why);
    else assert.equal((await errorOf(call)).code, "session-lost", why);
    assert.equal(server.ran.length, repeated ? 1 : 0, why);
  }
});

Deno.test("a batch is repeated only when all of it may be", async () => {
  const server = new TestServer();
  server.functions["other"] = () => ({ result: 1 });
  server.list = [{ name: "echo", annotations: { readOnlyHint: true } }];
  const home = connectionTo(server);
  await home.open();
  server.restart();
  assert.equal((await errorOf(home.batch([["echo"], ["other"]]))).code, "session-lost");
  server.restart();
  await home.open();
  server.restart();
  assert.equal((await home.batch([["echo"], ["echo"]])).length, 2);
});

Deno.test("the list of functions is asked for again after a restart by itself", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  await home.open();
  server.restart();
  assert.deepEqual(await home.functions(), []);
});

Deno.test("an idempotent call is repeated when its answer was lost", async () => {
  const server = new TestServer();
  server.fates.push(deliver, lostAfter);
  const home = connectionTo(server);
  assert.equal(await home.call("echo", undefined, { idempotent: true }), null);
  assert.equal(server.ran.length, 2);
});

Deno.test("a session is renewed before it ends: 30 s, or a tenth of a short one", async () => {
  for (const [lifetimeSeconds, usableMs] of [[3600, 3_570_000], [100, 90_000]] as const) {
    const server = new TestServer(), clock = new TestClock();
    server.welcome = { lifetimeSeconds };
    const home = connectionTo(server, clock);
    await home.call("echo");
    clock.move(usableMs - 1);
    await home.call("echo");
    assert.equal(server.hellos, 1);
    clock.move(1);
    await home.call("echo");
    assert.equal(server.hellos, 2);
  }
});

Deno.test("the life of a ticket counts from the hello, not from the welcome", async () => {
  const server = new TestServer(), clock = new TestClock();
  server.fates.push((answer) => {
    clock.move(20_000);
    return answer();
  });
  server.welcome = { lifetimeSeconds: 100 };
  const home = connectionTo(server, clock);
  await home.call("echo");
  clock.move(69_999);
  await home.call("echo");
  assert.equal(server.hellos, 1);
  clock.move(1);
  await home.call("echo");
  assert.equal(server.hellos, 2);
});

Deno.test("after 65,536 calls another ticket is asked for, also when several want the last numbers", async () => {
  const server = new TestServer(), clock = new TestClock();
  const { url, serverKey, privateKey } = useProfile(server.profile);
  const transport = new Transport({
    url,
    fetch: server.fetch,
    maxAnswerBytes: 1000,
    contentType: "application/octet-stream",
  });
  const sessions = new Sessions({ serverKey, staticPair: pairOf(privateKey), transport, clock });
  const deadline = new Deadline(clock, { timeoutMs: 1000 });
  const taken = new Set<string>();
  const take = async (): Promise<void> => {
    const { session, number } = await sessions.take(deadline);
    taken.add(`${toHex(session.ticket.subarray(0, 4))} ${number}`);
  };
  for (let i = 0; i < 65_533; i++) await take();
  assert.equal(server.hellos, 1);
  await Promise.all([1, 2, 3, 4, 5].map(take));
  assert.equal(server.hellos, 2);
  assert.equal(taken.size, 65_538, "no number twice");
  deadline.end();
});

Deno.test("a batch larger than the server takes is not sent", async () => {
  const server = new TestServer();
  const calls = Array.from({ length: 17 }, () => ["echo"] as const);
  const error = await errorOf(connectionTo(server).batch(calls));
  assert.deepEqual([error.code, error.executed], ["too-large", "no"]);
  assert.equal(server.ran.length, 0);
});

Deno.test("a batch that the server refuses whole is an error of each call", async () => {
  const server = new TestServer();
  server.rawResponse =
    '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}';
  const outcomes = await connectionTo(server).batch([["echo"], ["echo"]]);
  assert.deepEqual(outcomes.map((each) => each.status), ["rejected", "rejected"]);
});

Deno.test("a redirect to another path of the same server is followed", async () => {
  const server = new TestServer();
  const urls: string[] = [];
  const home = new Connection(server.profile, {
    clock: new TestClock(),
    fetch(url, init): Promise<Response> {
      urls.push(url);
      if (url.endsWith("/v2")) {
        return Promise.resolve(new Response(null, { status: 308, headers: { location: "v2/" } }));
      }
      return server.fetch(url, init);
    },
  });
  assert.equal(await home.call("echo"), null);
  const once = ["http://test.invalid/v2", "http://test.invalid/v2/"];
  assert.deepEqual(urls, [...once, ...once], "for the hello and for the call");
});

Deno.test("redirects in a circle end", async () => {
  const server = new TestServer();
  const circle = status(307, false, { location: "/v2" });
  server.fates.push(circle, circle, circle, circle, circle, circle);
  assert.equal((await errorOf(connectionTo(server).call("echo"))).code, "protocol");
  assert.equal(server.requests, 4);
});

Deno.test("a profile that is malformed is a TypeError that does not repeat its values", () => {
  const { profile } = new TestServer();
  const rows = [
    { ...profile, url: "ftp://x" },
    { ...profile, url: "x" },
    { ...profile, url: "https://user:secret@x/v2" },
    { ...profile, serverKey: "AAAA" },
    { ...profile, serverKey: "" },
    { ...profile, privateKey: profile.privateKey.slice(1) },
    { ...profile, privateKey: `${profile.privateKey}${profile.privateKey}` },
  ];
  for (const row of rows) {
    assert.throws(() => new Connection(row), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /^Cannot use profile: (?:url|serverKey|privateKey), expected /);
      assert.ok(!error.message.includes(profile.privateKey.slice(2)));
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  }
});

Deno.test("a server key that is a point of low order is refused before anything is sent", async () => {
  const server = new TestServer();
  const profile = { ...server.profile, serverKey: `${"A".repeat(43)}=` };
  const home = new Connection(profile, { fetch: server.fetch, clock: new TestClock() });
  await assert.rejects(home.call("echo"), TypeError);
  assert.equal(server.requests, 0);
});

Deno.test("close() forgets the session", async () => {
  const server = new TestServer();
  const home = connectionTo(server);
  await home.call("echo");
  home.close();
  await home.call("echo");
  assert.equal(server.hellos, 2);
});

/** Waits for a state that only needs turns of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    assert.ok(turn < 10_000, "the state did not come");
    await new Promise((resolve) => setTimeout(resolve));
  }
}
