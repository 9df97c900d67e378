/**
 * Protocol v2 with the real server, called by the library.
 */
import assert from "node:assert/strict";
import { Connection } from "../../client/mod.ts";
import { msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { writeModules } from "../functions.ts";
import { callServer, registerClient } from "../registered.ts";
import { connectTo, registerProfile, v2Url } from "../v2_client.ts";
import { errorOf } from "../v2_server.ts";

const MODULES = {
  echo: "export const entry_call = ({ params }) => params;",
  count: "let n = 0; export const entry_call = () => ++n;",
  shopping_add: `
    export const title = "Add to the list";
    export const description = "Adds an item to the shopping list.";
    export const params = {
      type: "object",
      properties: { item: { type: "string", maxLength: 20 }, count: { type: "integer" } },
      required: ["item"],
      additionalProperties: false,
    };
    export const annotations = { idempotentHint: true };
    export const entry_call = ({ params: { item, count = 1 } }) => ({ added: item, count });`,
  garage: `export const entry_call = () => {
    throw new PublicError("The garage is locked", { data: { door: 2 } });
  };`,
  fails: "export const entry_call = () => { throw new Error('a secret of the server'); };",
  slow: "export const entry_call = () => new Promise((done) => setTimeout(done, 60_000));",
  large: "export const entry_call = () => 'x'.repeat(3000);",
  who: "export const entry_call = ({ client, functionName }) => [client ?? null, functionName];",
  stop: "export const entry_call = () => new Promise((done) => setTimeout(done, 8000, 'done'));",
};

/** A server with these modules and a client of it. */
class V2Server {
  private constructor(
    readonly folder: TempFolder,
    readonly server: ServerProcess,
    readonly home: Connection,
    readonly profile: Awaited<ReturnType<typeof registerProfile>>,
  ) {}

  static async start(
    folder: TempFolder,
    { config = "", sections = "" } = {},
  ): Promise<V2Server> {
    const profile = await registerProfile(folder);
    if (config !== "") await folder.write("config/config.ini", config);
    await writeModules(folder, { modules: MODULES, sections });
    const server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/INFO functions: Functions: /);
    return new V2Server(folder, server, connectTo(server.url, profile), profile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

Deno.test("a call has arguments, a result that is JSON, and an error that says why", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder, {
    sections: "[large]\nMaxResult=1000\n[slow]\nTimeout=1\n[echo]\nMaxParams=200\n",
  });
  const { home, server } = v2;
  assert.deepEqual(await home.call("echo", { list: [1, "ü", null], o: {} }), {
    list: [1, "ü", null],
    o: {},
  });
  assert.deepEqual(await home.call("shopping_add", { item: "milk" }), { added: "milk", count: 1 });

  const misfit = await errorOf(home.call("shopping_add", { item: "milk", count: "2" }));
  assert.deepEqual([misfit.code, misfit.executed, misfit.data], ["invalid-params", "no", {
    path: "/count",
    expected: 'type "integer"',
  }]);
  const tooMany = await errorOf(home.call("echo", { text: "x".repeat(300) }));
  assert.deepEqual([tooMany.code, tooMany.executed], ["invalid-params", "no"]);

  const locked = await errorOf(home.call("garage"));
  assert.deepEqual([locked.code, locked.message, locked.executed, locked.data], [
    "failed",
    "The garage is locked",
    "yes",
    { door: 2 },
  ]);
  const failed = await errorOf(home.call("fails"));
  assert.deepEqual([failed.code, failed.message], ["failed", "The function failed"]);
  assert.ok(!JSON.stringify(failed).includes("secret"));
  await server.waitForLog(
    new RegExp(`function fails failed: Error: a secret.*\\(reference ${failed.ref}\\)`),
  );
  const large = await errorOf(home.call("large"));
  assert.deepEqual([large.code, large.executed, large.data], ["too-large", "yes", {
    maxResultBytes: 1000,
  }]);
  const slow = await errorOf(home.call("slow"));
  assert.deepEqual([slow.code, slow.executed, slow.data], ["timeout", "yes", { timeoutMs: 1000 }]);
  const unknown = await errorOf(home.call("nope"));
  assert.deepEqual([unknown.code, unknown.executed], ["not-found", "no"]);
});

Deno.test("the server lists its functions, with what their modules say of them", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder);
  const functions = await v2.home.functions();
  assert.deepEqual(functions.map(({ name }) => name).sort(), Object.keys(MODULES).sort());
  const add = functions.find(({ name }) => name === "shopping_add");
  assert.equal(add?.title, "Add to the list");
  assert.deepEqual(add?.annotations, { idempotentHint: true });
  assert.deepEqual(add?.inputSchema["required"], ["item"]);

  const listed = await mspOk(["functions"], { cwd: folder.path });
  assert.match(listed, /shopping_add: ready\n {2}title {3}Add to the list\n/);
  assert.match(listed, /params {2}item: string, count\?: integer\n {2}hints {3}idempotentHint/);
});

Deno.test("a module whose params are no schema is broken, and msp functions says where", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const code = (params: string): string =>
    `export const params = ${params}; export const entry_call = () => 1;`;
  await writeModules(folder, {
    modules: {
      typo: code('{ type: "object", properties: { a: { type: "sting" } } }'),
      text: code('"item"'),
      good: code('{ type: "object" }'),
    },
  });
  const { out, code: exitCode } = await msp(["functions"], { cwd: folder.path });
  assert.equal(exitCode, 1);
  assert.match(out, /typo: broken\n.*params that are not a JSON Schema.*: \/properties\/a\/type/);
  assert.match(
    out,
    /text: broken\n.*params that are not a JSON Schema for an object: is not an object/,
  );
  assert.match(out, /good: ready/);
});

Deno.test("Caller=name tells a function who calls, and no other one", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder);
  assert.deepEqual(await v2.home.call("who"), [null, "who"]);
});

Deno.test("v1 and v2 are answered side by side, with one registration", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder, "old");
  await using v2 = await V2Server.start(folder);
  assert.equal(await callServer(v2.server.url, client, "count"), "1");
  assert.equal(await v2.home.call("count"), 2);
  assert.equal(await callServer(v2.server.url, client, "shopping_add"), 401, "it needs an item");
  await v2.server.waitForLog(/arguments do not fit.*: expected the member item/);
});

Deno.test("100 copies of one call at the same time run once", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder);
  const sent: Uint8Array<ArrayBuffer>[] = [];
  const home = connectTo(v2.server.url, v2.profile, {
    async fetch(url, init): Promise<Response> {
      sent.push(init.body as Uint8Array<ArrayBuffer>);
      const response = await fetch(url, init);
      if (sent.length === 1) return response;
      await response.body?.cancel();
      throw new TypeError("lost");
    },
  });
  const posts = async (body: Uint8Array<ArrayBuffer>): Promise<number> => {
    const headers = { "content-type": "application/octet-stream" };
    const response = await fetch(v2Url(v2.server.url), { method: "POST", body, headers });
    await response.body?.cancel();
    return response.status;
  };
  await home.call("count").catch(() => {});
  const [, call] = sent;
  assert.ok(call);
  const again = await Promise.all(Array.from({ length: 100 }, () => posts(call)));
  assert.deepEqual(new Set(again), new Set([401]));

  // The same for a call that nobody delivered yet.
  const fresh: Uint8Array<ArrayBuffer>[] = [];
  const held = connectTo(v2.server.url, v2.profile, {
    fetch(url, init): Promise<Response> {
      fresh.push(init.body as Uint8Array<ArrayBuffer>);
      return fresh.length === 1 ? fetch(url, init) : Promise.reject(new TypeError("held"));
    },
  });
  await held.call("count").catch(() => {});
  const copies = await Promise.all(
    Array.from({ length: 100 }, () => posts(fresh[1] ?? call)),
  );
  assert.equal(copies.filter((status) => status === 200).length, 1);
  assert.equal(await v2.home.call("count"), 3);
});

Deno.test("after a restart the client says hello once more, and nothing can be replayed", async () => {
  await using folder = await TempFolder.make();
  const profile = await registerProfile(folder);
  await writeModules(folder, { modules: MODULES });
  const sent: Uint8Array<ArrayBuffer>[] = [];
  let url = "";
  const home = new Connection({ ...profile, url: "http://server.invalid/v2" }, {
    fetch(_url, init): Promise<Response> {
      sent.push(init.body as Uint8Array<ArrayBuffer>);
      return fetch(url, init);
    },
  });
  {
    await using server = await ServerProcess.start({ cwd: folder.path });
    url = v2Url(server.url);
    assert.equal(await home.call("count"), 1);
  }
  await using server = await ServerProcess.start({ cwd: folder.path });
  url = v2Url(server.url);
  assert.equal(sent.length, 2);
  for (const body of sent.slice(1)) {
    const headers = { "content-type": "application/octet-stream" };
    const response = await fetch(url, { method: "POST", body, headers });
    await response.body?.cancel();
    assert.equal(response.status, 401);
  }
  await server.waitForLog(/the ticket was issued before a restart.*\(reference [0-9a-f]{8}\)/);
  assert.equal((await errorOf(home.call("count", {}, { idempotent: false }))).code, "session-lost");
  assert.equal(await home.call("count"), 1);
  assert.equal(sent.length, 5, "one more hello");
  assert.deepEqual(await home.call("shopping_add", { item: "tea" }), { added: "tea", count: 1 });
});

Deno.test("an idempotent call goes on over a restart without its caller noticing", async () => {
  await using folder = await TempFolder.make();
  const profile = await registerProfile(folder);
  await writeModules(folder, { modules: MODULES });
  let url = "";
  const home = new Connection({ ...profile, url: "http://server.invalid/v2" }, {
    fetch: (_url, init) => fetch(url, init),
  });
  for (let i = 0; i < 2; i++) {
    await using server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/INFO functions: Functions: /);
    url = v2Url(server.url);
    assert.deepEqual(await home.call("shopping_add", { item: "tea" }), { added: "tea", count: 1 });
  }
});

Deno.test("a removed client is silenced within a second, with its ticket and calls in flight", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder);
  assert.equal(await v2.home.call("count"), 1);
  const inFlight = errorOf(v2.home.call("stop", {}, { idempotent: false }));
  const publicKey = await folder.read("client.pub");
  await mspOk(["removeclient", publicKey.trim(), "--yes"], { cwd: folder.path });
  const error = await inFlight;
  assert.deepEqual([error.code, error.executed], ["session-lost", "maybe"]);
  await v2.server.waitForLog(/the client was removed while the function ran/);
  assert.equal((await errorOf(v2.home.call("count"))).code, "refused");

  await mspOk(["appendclient", publicKey.trim()], { cwd: folder.path });
  await v2.server.waitForLog(/Key store reloaded: 1/);
  assert.equal(await v2.home.call("count"), 2, "until it is registered again");
});

Deno.test("the server's key for v2 is created at the first start, and by the commands", async () => {
  await using folder = await TempFolder.make();
  await mspOk(["keygen", "pair", "client"], { cwd: folder.path });
  await mspOk(["appendclient", (await folder.read("client.pub")).trim()], { cwd: folder.path });
  const serverKey = await folder.read("sec/server2.pub");
  assert.equal(await folder.mode("sec/server2.key"), "600");
  assert.equal(await folder.mode("sec/server2.pub"), "644");
  assert.notEqual(serverKey, await folder.read("sec/server.pub"));
  {
    await using _server = await ServerProcess.start({ cwd: folder.path });
    assert.equal(await folder.read("sec/server2.pub"), serverKey);
  }
  // An installation of before has none.
  await Deno.remove(folder.join("sec/server2.key"));
  await Deno.remove(folder.join("sec/server2.pub"));
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO server: Created .*sec\/server2\.key/);
});

Deno.test("rotate-server-key renews both keys, and keeps every previous one in its grace", async () => {
  await using folder = await TempFolder.make();
  const first = await registerProfile(folder);
  const classic = await registerClient(folder, "classic");
  await writeModules(folder, { modules: MODULES });
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO functions: Functions: /);
  const rotate = async (...flags: string[]): Promise<typeof first> => {
    await mspOk(["rotate-server-key", "--yes", ...flags], { cwd: folder.path });
    const serverKey = (await folder.read("sec/server2.pub")).trim();
    return { ...first, serverKey };
  };
  const second = await rotate("--grace", "1");
  const third = await rotate("--grace", "2");
  const all = [first, second, third];
  assert.equal(new Set(all.map(({ serverKey }) => serverKey)).size, 3);
  const opens = async (profile: typeof first): Promise<boolean> =>
    await connectTo(server.url, profile).open().then(() => true, () => false);
  for (let i = 0; i < 50 && !await opens(third); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const key = (await folder.read("sec/server.pub")).trim().replace(/[+/]/g, "\\$&");
  await server.waitForLog(
    new RegExp(
      `Server key reloaded: the public key is ${key}; accepted besides: 2 earlier keys\\n`,
    ),
  );
  for (const profile of all) {
    assert.deepEqual(await connectTo(server.url, profile).call("echo"), {});
  }
  assert.equal(
    await callServer(server.url, classic, "count"),
    "1",
    "v1 with the key of two before",
  );

  const fourth = await rotate();
  for (let i = 0; i < 50 && !await opens(fourth); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await opens(third), false, "it had no grace");
  assert.equal(await opens(first), true, "its grace goes on");
  assert.equal(await opens(second), true);
  assert.equal(await callServer(server.url, classic, "count"), "2");
});

Deno.test("[V2] Enabled=no: the server needs no key for it", async () => {
  await using folder = await TempFolder.make();
  await folder.write("config/config.ini", "[V2]\nEnabled=no\n");
  await registerClient(folder);
  await using _server = await ServerProcess.start({ cwd: folder.path });
  await mspOk(["rotate-server-key", "--yes"], { cwd: folder.path });
  assert.ok(!(await folder.names("sec")).includes("server2.key"));
});

Deno.test("[V2] Enabled=no: the server has no such path", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder, { config: "[V2]\nEnabled=no\n" });
  assert.equal((await errorOf(v2.home.call("count"))).code, "protocol");
  const response = await fetch(v2Url(v2.server.url), { method: "POST", body: "x" });
  assert.equal(response.status, 404);
  await response.body?.cancel();
});

Deno.test("[V2] AllowOrigins lets pages of these origins call, and tells others nothing", async () => {
  await using folder = await TempFolder.make();
  await using v2 = await V2Server.start(folder, {
    config: "[V2]\nAllowOrigins=https://app.example, http://localhost:3000\n",
  });
  const url = v2Url(v2.server.url);
  const ask = async (method: string, headers: Record<string, string>): Promise<Response> => {
    const body = method === "POST" ? { body: "x" } : {};
    const response = await fetch(url, { method, headers, ...body });
    await response.body?.cancel();
    return response;
  };
  const preflight = { "access-control-request-method": "POST" };
  const allowed = await ask("OPTIONS", { origin: "https://app.example", ...preflight });
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://app.example");
  assert.equal(allowed.headers.get("access-control-allow-methods"), "POST");
  assert.equal(allowed.headers.get("access-control-allow-headers"), "content-type");
  const refused = await ask("POST", { origin: "http://localhost:3000" });
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get("access-control-allow-origin"), "http://localhost:3000");

  for (const origin of ["https://evil.example", "null", "https://app.example.evil", "*"]) {
    const other = await ask("OPTIONS", { origin, ...preflight });
    assert.equal(other.status, 405, origin);
    assert.equal(other.headers.get("access-control-allow-origin"), null);
    const post = await ask("POST", { origin });
    assert.equal(post.headers.get("access-control-allow-origin"), null);
  }
  const v1 = await fetch(v2.server.url, {
    method: "OPTIONS",
    headers: { origin: "https://app.example", ...preflight },
  });
  await v1.body?.cancel();
  assert.equal(v1.status, 405, "v1 is as ever");
});
