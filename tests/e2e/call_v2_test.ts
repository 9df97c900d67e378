/**
 * `msp profile`, and `msp call` by a profile: arguments, results, and errors in words.
 */
import assert from "node:assert/strict";
import { FunctionServer } from "../functions.ts";
import { addProfile, profileOptions } from "../profiles.ts";
import { freePort, msp, mspOk, PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const MODULES = {
  echo: "export const entry_call = ({ params }) => params;",
  text: "export const entry_call = () => 'Küche\\n\\x1b[31m';",
  nothing: "export const entry_call = () => null;",
  typed: `export const params = {
    type: "object", properties: { count: { type: "integer" } }, required: ["count"],
  };
  export const entry_call = ({ params }) => params.count + 1;`,
  own: `export const entry_call = () => {
    throw new PublicError("out of milk", { data: { left: 0 } });
  };`,
  broken: "export const entry_call = () => { throw new Error('CANARY'); };",
  large: "export const entry_call = () => 'x'.repeat(2_000_000);",
  slow: "export const entry_call = () => new Promise(() => {});",
};

interface Row {
  readonly args: readonly string[];
  readonly out?: string;
  readonly err?: RegExp;
  readonly code?: number;
  readonly input?: string;
}

const CALLS: readonly Row[] = [
  {
    args: ["echo", "item=milk", "count:=2", "a=b=c"],
    out: '{"item":"milk","count":2,"a":"b=c"}\n',
  },
  { args: ["home", "echo", "list:=[1, null]"], out: '{"list":[1,null]}\n' },
  { args: ["home", "ECHO"], out: "{}\n" },
  { args: ["echo", "--params", '{"a": 1}', "b=2"], out: '{"a":1,"b":"2"}\n' },
  { args: ["echo", "--params", "-"], input: '{"a":"ü"}', out: '{"a":"ü"}\n' },
  { args: ["echo", "__proto__=x"], out: '{"__proto__":"x"}\n' },
  { args: ["text"], out: "Küche\n\x1b[31m\n" },
  { args: ["text", "--json"], out: '"Küche\\n\\u001b[31m"\n' },
  { args: ["nothing"], out: "null\n" },
  { args: ["typed", "count:=1"], out: "2\n" },
  {
    args: ["typed", "count=1"],
    err:
      /count, expected type "integer" \(executed: no, ref [0-9a-f]{8}\)\nmsp: hint: count:=VALUE/,
  },
  {
    args: ["typed"],
    err:
      /the arguments, expected the member count \(executed: no, ref \S{8}\)\nmsp: hint: msp desc/,
  },
  {
    args: ["own"],
    err:
      /own at http\S+\/v2: the function failed: out of milk; data \{"left":0\} \(executed: yes, ref /,
  },
  {
    args: ["broken"],
    err: /the function failed \(executed: yes, ref (\S{8})\)\nmsp: hint: .* at reference \1\n/,
  },
  {
    args: ["large"],
    err: /the result is larger than 1,048,576 bytes \(executed: yes, ref \S{8}\)/,
  },
  {
    args: ["slow", "--timeout", "0.3"],
    err: /no answer within 0\.3 seconds \(executed: maybe, ref \S{8}\)\nmsp: hint: --timeout/,
  },
  { args: ["slow"], err: /took longer than the 1 second that the server gives it \(executed: yes/ },
  { args: ["txet"], err: /no such function.* \(executed: no, .*hint: did you mean text\?/s },
  { args: ["home"], err: /executed: no.*hint: home is a profile/s },
  {
    args: ["echo", `a=${"x".repeat(20_000)}`],
    err: /the request has \d+ bytes, the server accepts 16384 \(executed: no\)/,
  },
  { args: ["away", "echo"], err: /Cannot find profile away: .*hint: msp profile list/s },
  { args: ["home", "echo", "milk"], code: 2, err: /"milk", expected NAME=VALUE or NAME:=JSON/ },
  { args: ["home", "echo", "=1"], code: 2, err: /expected NAME=VALUE or NAME:=JSON/ },
  { args: ["echo", "a=1", "a:=2"], code: 2, err: /a is given twice/ },
  { args: ["echo", "a:=CANARY"], code: 2, err: /the value of a is not JSON/ },
  { args: ["echo", "--params", "[1]"], code: 2, err: /--params is not a JSON object/ },
  { args: ["echo", "--params", "CANARY"], code: 2, err: /--params is not a JSON object/ },
  { args: ["echo", "--timeout", "soon"], code: 2, err: /--timeout "soon", expected seconds/ },
  { args: ["echo", "--v1"], code: 2, err: /--v1 belongs to a URL/ },
  { args: ["item=milk"], code: 2, err: /FUNCTION is missing/ },
];

Deno.test("call passes arguments, prints results, and says of an error whether the function ran", async () => {
  await using folder = await TempFolder.make();
  const sections = "[slow]\nTimeout=1\n";
  await using setup = await FunctionServer.start(folder, { modules: MODULES, sections });
  await addProfile(folder, setup.server.url);
  const options = profileOptions(folder);
  const call = async ({ args, input }: Row) =>
    input === undefined ? await msp(["call", ...args], options) : await run(
      ["bash", "-c", `printf %s '${input}' | "$@"`, "-", ...PROGRAM, "call", ...args],
      options,
    );
  assert.ok(CALLS.length > 0);
  for (const row of CALLS) {
    const { args, out = "", err, code = err === undefined ? 0 : 1 } = row;
    const outcome = await call(row);
    assert.deepEqual([outcome.code, outcome.out], [code, out], `${args}: ${outcome.err}`);
    if (err === undefined) assert.equal(outcome.err, "");
    else assert.match(outcome.err, err, args.join(" "));
    assert.match(outcome.err, /^(msp: error: [^\n]+\n(msp: hint: [^\n]+\n)?)?$/);
    assert.doesNotMatch(outcome.err, /CANARY/);
  }
  const { err } = await msp(["call", "nothing", "--verbose"], options);
  assert.match(
    err,
    /profile home\n.*: hello [0-9a-f]{8}, 105 bytes, status 200 after \d+ ms\n.*: call /,
  );
  // What it says stands in the log too.
  const [, reference = ""] = /ref (\S{8})/.exec((await msp(["call", "broken"], options)).err) ?? [];
  await setup.server.waitForLog(new RegExp(reference));
});

Deno.test("profile adds, lists and removes; call chooses by name, MSP_PROFILE, or the only one", async () => {
  await using folder = await TempFolder.make();
  const { err: none } = await msp(["call", "f"], profileOptions(folder));
  assert.match(
    none,
    /^msp: error: Cannot find a profile: this user has none\nmsp: hint: msp join LINK/,
  );
  await registerClient(folder);
  const options = profileOptions(folder);
  const port = freePort();
  const serverKey = ["--server-key", "sec/server2.pub"];
  const add = (name: string, ...args: string[]) =>
    msp(["profile", "add", name, "--url", `http://127.0.0.1:${port}`, ...args], options);
  const key = (await folder.read("client.pub")).trim();
  assert.equal((await add("home", ...serverKey, "--key", "client.key")).out, `${key}\n`);
  assert.equal(await folder.mode("xdg/msp/home.json"), "600");
  assert.equal(await folder.mode("xdg/msp"), "700");
  const kept = JSON.parse(await folder.read("xdg/msp/home.json"));
  assert.deepEqual([kept.url, kept.name], [`http://127.0.0.1:${port}/v2`, "home"]);
  assert.match(
    (await add("home", ...serverKey)).err,
    /Cannot write \S+home\.json: it exists already\nmsp: hint: .*--replace/,
  );
  // The key itself in place of a file, and a new pair.
  const fresh = await add("work", "--server-key", kept.serverKey);
  assert.match(
    fresh.err,
    new RegExp(`next, on the server: msp appendclient "${fresh.out.trim().replace(/\+/g, "\\+")}"`),
  );
  const list = JSON.parse(await mspOk(["profile", "list", "--json"], options));
  assert.deepEqual(list.map((each: { name: string }) => each.name), ["home", "work"]);
  assert.equal(list[0].public_key, key);
  const text = await mspOk(["profile", "list"], options);
  assert.ok(text.includes(key) && !text.includes(kept.privateKey));

  assert.match(
    (await msp(["call", "f"], options)).err,
    /Cannot choose a profile: there are home, work/,
  );
  for (const [args, env] of [[["work", "f"], {}], [["f"], { MSP_PROFILE: "work" }]] as const) {
    const { err } = await msp(["call", ...args], profileOptions(folder, env));
    assert.match(
      err,
      /Cannot reach http:\/\/127\.0\.0\.1:\d+\/v2: connection refused \(executed: no\)\n/,
    );
  }
  assert.match((await msp(["profile", "remove", "work"], options)).err, /there is no terminal/);
  await mspOk(["profile", "remove", "work", "--yes"], options);
  assert.match(
    (await msp(["profile", "remove", "work", "--yes"], options)).err,
    /Cannot find profile work/,
  );
  await Deno.chmod(folder.join("xdg/msp/home.json"), 0o644);
  const { code, err } = await msp(["call", "f"], options);
  assert.equal(code, 1);
  assert.match(err, /Cannot use \S+home\.json: other users can read it\nmsp: hint: chmod 600 /);
  assert.match((await msp(["profile", "list"], options)).err, /other users can read it/);
});

const WRONG_PROFILES: readonly { args: readonly string[]; code?: number; err: RegExp }[] = [
  { args: ["add"], code: 2, err: /NAME is missing/ },
  { args: ["sub", "x"], code: 2, err: /"sub", expected add, list or remove/ },
  { args: ["add", "x"], code: 2, err: /--url is missing/ },
  { args: ["add", "x", "--url", "http://h"], code: 2, err: /--server-key is missing/ },
  {
    args: ["add", "x", "--url", "http://h/v1", "--server-key", "k"],
    code: 2,
    err: /--url is that of protocol v1/,
  },
  {
    args: ["add", "x", "--url", "http://h", "--server-key", "k.key"],
    err:
      /Cannot use \S+k\.key as the server's public key: it is a private key\nmsp: hint: .*server2/,
  },
  {
    args: ["add", "x", "--url", "h:8000", "--server-key", "k"],
    code: 2,
    err: /--url, expected the/,
  },
  {
    args: ["add", "x", "--url", "http://h", "--server-key", "k"],
    err: /Cannot read \S+k: not found/,
  },
  {
    args: ["add", "../x", "--url", "http://h", "--server-key", `${"A".repeat(43)}=`],
    err: /Cannot use profile "\.\.\/x": expected a name/,
  },
  { args: ["remove", "no", "--yes"], err: /Cannot find profile no/ },
];

Deno.test("profile says what is wrong, and makes nothing then", async () => {
  await using folder = await TempFolder.make();
  for (const { args, code = 1, err } of WRONG_PROFILES) {
    const outcome = await msp(["profile", ...args], profileOptions(folder));
    assert.deepEqual([outcome.code, outcome.out], [code, ""], args.join(" "));
    assert.match(outcome.err, err);
  }
  assert.deepEqual(await folder.names(), []);
});

/** What may stand in place of the server, and what the error says then. */
const ANSWERS: readonly { name: string; answer: () => Response; err: RegExp }[] = [
  {
    name: "a refusal",
    answer: () => new Response(null, { status: 401 }),
    err: /the server refused this client \(401\) \(executed: no, ref (\S{8})\)\n.*at reference \1/,
  },
  {
    name: "another protocol",
    answer: () => new Response("<html>"),
    err: /the answer does not open with the server's key \(executed: no, .*hint: .*server2\.pub/s,
  },
  {
    name: "a redirect elsewhere",
    answer: () => Response.redirect("https://u:canary@example.org/v2?canary", 308),
    err: /it redirects to https:\/\/example\.org\/v2 \(status 308\).*hint: add a profile/s,
  },
  {
    name: "a redirect to something else than a web server",
    answer: () =>
      new Response(null, { status: 307, headers: { location: "data:text/plain,canary" } }),
    err: /: status 307, expected 200 \(executed: no.*hint: this is not the answer of/s,
  },
  {
    name: "a proxy without its server",
    answer: () => new Response("bad", { status: 502 }),
    err: /status 502, expected 200 \(executed: no.*hint: a proxy answers/s,
  },
  {
    name: "a server of v1 only",
    answer: () => new Response(null, { status: 404 }),
    err: /status 404, expected 200 .*hint: the endpoint of a Mini Share Point is …\/v2/s,
  },
];

Deno.test("call says what another answer means, and follows 307 and 308 to the same server", async () => {
  await using folder = await TempFolder.make();
  await using setup = await FunctionServer.start(folder, { modules: { echo: MODULES.echo } });
  let answer = (): Response => new Response();
  await using front = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const body = await request.bytes();
      if (pathname !== "/real") return answer();
      const headers = { "content-type": "application/octet-stream" };
      return await fetch(setup.server.url.replace("/v1", "/v2"), { method: "POST", body, headers });
    },
  );
  const url = `http://127.0.0.1:${front.addr.port}/v2`;
  await addProfile(folder, url);
  const call = () => msp(["call", "echo", "a=1"], profileOptions(folder));
  for (const { name, answer: answered, err } of ANSWERS) {
    answer = answered;
    const outcome = await call();
    assert.deepEqual([outcome.code, outcome.out], [1, ""], name);
    assert.match(outcome.err, err, name);
    assert.match(outcome.err, /^msp: error: [^\n]+\nmsp: hint: [^\n]+\n$/, name);
    assert.doesNotMatch(outcome.err, /canary/);
  }
  for (const status of [307, 308]) {
    answer = () => new Response(null, { status, headers: { location: "/real" } });
    assert.equal((await call()).out, '{"a":"1"}\n');
  }
});

Deno.test("a proxy is asked for other machines only, and named when it fails", async () => {
  await using folder = await TempFolder.make();
  await using setup = await FunctionServer.start(folder, { modules: { echo: MODULES.echo } });
  await addProfile(folder, setup.server.url);
  const asked: string[] = [];
  await using proxy = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      asked.push(new URL(request.url).host);
      return new Response(null, { status: 502 });
    },
  );
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY"]) {
    const env = { [name]: `http://127.0.0.1:${proxy.addr.port}` };
    assert.equal(await mspOk(["call", "echo"], profileOptions(folder, env)), "{}\n", name);
  }
  assert.deepEqual(asked, []);
  await addProfile(folder, "http://far.invalid/v2", { name: "far" });
  const through = (url: string, no = "") =>
    msp(["call", "far", "echo"], profileOptions(folder, { HTTP_PROXY: url, NO_PROXY: no }));
  const { err } = await through(`http://127.0.0.1:${proxy.addr.port}`);
  assert.match(err, /status 502, expected 200 \(executed: no.*hint: a proxy answers/s);
  assert.equal(asked[0], "far.invalid");
  const dead = await through(`http://127.0.0.1:${freePort()}`);
  assert.match(
    dead.err,
    /connection refused, through the proxy of HTTP_PROXY.*hint: .*NO_PROXY=far\./s,
  );
  assert.match(
    (await through("http://127.0.0.1:9", "invalid")).err,
    /host name is not known \(exec/,
  );
});

Deno.test("a v1 refusal names a client.pub that belongs to another key", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  await Deno.rename(folder.join("client.pub"), folder.join("old.pub"));
  await mspOk(["keygen", "pair", "client", "--force"], { cwd: folder.path });
  const own = await folder.read("client.pub");
  await Deno.rename(folder.join("old.pub"), folder.join("client.pub"));
  const { code, err } = await msp(["call", server.url, "time_test", "--v1"], { cwd: folder.path });
  assert.equal(code, 1);
  assert.match(err, /refused the call \(401\) \(executed: maybe\)\n/);
  assert.ok(
    err.includes(`client.pub does not belong to ${folder.join("client.key")}: register ${own}`),
  );
});
