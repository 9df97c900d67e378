import assert from "node:assert/strict";
import { registerClient } from "../registered.ts";
import { msp, mspOk, PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";

const KEY = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";

const WRONG_USAGE = [
  { args: ["nonsense"], error: /there is no such command/ },
  { args: ["serve", "--nonsense"], error: /--nonsense/ },
  { args: ["--nonsense"], error: /--nonsense/ },
  { args: ["serve", "extra"], error: /unexpected argument "extra"/ },
  { args: ["serve", "--port"], error: /--port/ },
  {
    args: ["serve", "--port", "70000"],
    error: /--port "70000", expected a whole number from 0 to 65535/,
  },
  { args: ["serve", "--host", "a b"], error: /--host "a b", expected an IP address/ },
  { args: ["keygen"], error: /private, public or pair is missing/ },
  { args: ["keygen", "pair"], error: /NAME is missing/ },
  { args: ["keygen", "triple", "x"], error: /"triple", expected private, public or pair/ },
  { args: ["keygen", "constructor", "x"], error: /expected private, public or pair/ },
  { args: ["keygen", "pair", "x", "y"], error: /unexpected argument "y"/ },
  { args: ["appendclient"], error: /PUBKEY is missing/ },
  { args: ["purgeclients", "all"], error: /unexpected argument/ },
  { args: ["call", "localhost:8000", "f"], error: /expected a URL/ },
  { args: ["call", "http://localhost:8000/v1"], error: /FUNCTION is missing/ },
  { args: ["help", "nonsense"], error: /there is no such command/ },
];

Deno.test("wrong usage is exit status 2 and one error line, and changes nothing", async () => {
  assert.ok(WRONG_USAGE.length > 0);
  await using folder = await TempFolder.make();
  for (const { args, error } of WRONG_USAGE) {
    const { code, out, err } = await msp(args, { cwd: folder.path });
    assert.deepEqual([code, out], [2, ""], `${args}: ${err}`);
    assert.match(err, error);
    assert.match(err, /^msp: error: [^\n]+\n(msp: hint: [^\n]+\n)?$/);
  }
  assert.deepEqual(await folder.names(), []);
});

Deno.test("every command has a help text with an example", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const overview = await mspOk(["help"], options);
  assert.equal(await mspOk(["-h"], options), overview);
  assert.equal(await mspOk(["--help"], options), overview);
  for (const name of ["serve", "keygen", "appendclient", "purgeclients", "call", "help"]) {
    assert.match(overview, new RegExp(`^  ${name} `, "m"));
    const text = await mspOk(["help", name], options);
    assert.match(text, /^Usage: msp /m);
    assert.match(text, /^Example:\n {2}msp /m);
    assert.equal(await mspOk([name, "--help"], options), text);
    assert.equal(await mspOk([name, "-h"], options), text);
  }
});

Deno.test("keygen writes keys with their modes and refuses to overwrite them", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  assert.equal(await mspOk(["keygen", "private", "a"], options), "Generated: a.key\n");
  assert.deepEqual(await folder.names(), ["a.key"]);
  assert.equal(await mspOk(["keygen", "public", "a"], options), "Generated: a.pub\n");
  assert.match(await folder.read("a.key"), /^[A-Za-z0-9+/]{43}=$/);
  assert.match(await folder.read("a.pub"), /^[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual([await folder.mode("a.key"), await folder.mode("a.pub")], ["600", "644"]);
  const before = [await folder.read("a.key"), await folder.read("a.pub")];
  for (const kind of ["private", "public", "pair"]) {
    const { code, out, err } = await msp(["keygen", kind, "a"], options);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(
      err,
      /^msp: error: Cannot write a\.(key|pub): it exists already\nmsp: hint: .*--force/,
    );
  }
  assert.deepEqual([await folder.read("a.key"), await folder.read("a.pub")], before);
  await mspOk(["keygen", "pair", "a", "--force"], options);
  assert.notEqual(await folder.read("a.key"), before[0]);
  assert.deepEqual(await folder.names(), ["a.key", "a.pub"]);
});

Deno.test("keygen pair leaves nothing when the public key exists", async () => {
  await using folder = await TempFolder.make();
  await folder.write("a.pub", "mine");
  assert.equal((await msp(["keygen", "pair", "a"], { cwd: folder.path })).code, 1);
  assert.deepEqual(await folder.names(), ["a.pub"]);
  assert.equal(await folder.read("a.pub"), "mine");
});

const KEYGEN_FAILS = [
  { args: ["private", "no/x"], error: /Cannot write no\/x\.key: there is no folder no/ },
  { args: ["public", "no"], error: /Cannot read no\.key: not found/ },
  {
    args: ["public", "bad"],
    error: /Cannot read bad\.key: the text is not base64, expected a key of 32 bytes/,
  },
  {
    args: ["private", "/outside"],
    error: /Cannot write \/outside\.key: outside of the paths.*\nmsp: hint: .*--allow-read=\/ /,
  },
];

Deno.test("keygen says what is wrong with a name or a key file, without its content", async () => {
  await using folder = await TempFolder.make();
  await folder.write("bad.key", "SECRET-CANARY");
  for (const { args, error } of KEYGEN_FAILS) {
    const { code, err } = await msp(["keygen", ...args], { cwd: folder.path });
    assert.equal(code, 1, err);
    assert.match(err, error);
    assert.doesNotMatch(err, /CANARY|\bat /);
  }
});

const REFUSED_KEYS = [
  { key: "AAAA", error: /not 32 bytes/, why: "too short" },
  { key: "not base64 at all, not base64 at all, not ba", error: /not base64/, why: "spaces" },
  { key: `${"A".repeat(43)}=`, error: /low order/, why: "all zero" },
  { key: "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=", error: /low order/, why: "order 8" },
  { key: KEY.replace("Q=", "R="), error: /not base64/, why: "bits after the end" },
  { key: "/etc/passwd", error: /not /, why: "a file" },
];

Deno.test("appendclient refuses an unsafe public key, and changes nothing", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder);
  const register = await folder.read("sec/clients.dev");
  const known = {
    key: await folder.read("client.pub"),
    error: /registered already, in \/.*\/sec\/client_1\.pub/,
    why: "twice",
  };
  const own = { key: await folder.read("sec/server.pub"), error: /the server's own/, why: "own" };
  for (const { key, error, why } of [...REFUSED_KEYS, known, own]) {
    const { code, out, err } = await msp(["appendclient", key], options);
    assert.deepEqual([code, out], [1, ""], why);
    assert.match(err, error, why);
  }
  assert.equal(await folder.read("sec/clients.dev"), register);
  assert.equal((await folder.names("sec")).filter((name) => name.startsWith("client_")).length, 1);
});

Deno.test("appendclient numbers in numeric order and appends to a register without a line end", async () => {
  await using folder = await TempFolder.make();
  await folder.write("sec/client_2.pub", "corrupt");
  await folder.write("sec/client_10.pub", KEY);
  await folder.write("sec/client_bob.pub", KEY.replace("i", "j"));
  await folder.write("sec/clients.dev", "ab".repeat(64));
  await registerClient(folder);
  assert.ok((await folder.names("sec")).includes("client_11.pub"));
  const lines = (await folder.read("sec/clients.dev")).split("\n");
  assert.equal(lines.length, 3);
  assert.equal(lines[0], "ab".repeat(64));
  assert.match(lines[1] ?? "", /^sha256:[0-9a-f]{64}$/);
});

Deno.test("appendclient run 20 times at once registers 20 clients", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => mspOk(["keygen", "pair", name], options)));
  await Promise.all(names.map(async (name) => {
    await mspOk(["appendclient", await folder.read(`${name}.pub`)], options);
  }));
  const keys = await Promise.all(
    names.map((_, i) => folder.read(`sec/client_${i + 1}.pub`)),
  );
  assert.equal(new Set(keys).size, 20);
  const secrets = (await folder.read("sec/clients.dev")).trim().split("\n");
  assert.equal(new Set(secrets).size, 20);
  assert.deepEqual((await folder.names("sec")).filter((name) => name.endsWith(".tmp")), []);
});

Deno.test("appendclient killed at any point leaves earlier clients and no half-written file", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const key = await folder.read("sec/client_1.pub");
  const secret = (await folder.read("sec/clients.dev")).trim();
  const options = { cwd: folder.path };
  for (let i = 0; i < 25; i++) {
    await mspOk(["keygen", "pair", `k${i}`], options);
    const publicKey = await folder.read(`k${i}.pub`);
    // From before its first file to after its last: what it has done shows in the folder.
    const killer = ["timeout", "-s", "KILL", `0.${String(20 + i * 6).padStart(3, "0")}`];
    await run([...killer, ...PROGRAM, "appendclient", publicKey], options);
    assert.equal(await folder.read("sec/client_1.pub"), key);
    const lines = (await folder.read("sec/clients.dev")).split("\n");
    assert.equal(lines[0], secret);
    assert.equal(lines.pop(), "", "the register ends with a line end");
    for (const line of lines) assert.match(line, /^sha256:[0-9a-f]{64}$/);
    for (const name of await folder.names("sec")) {
      if (/^client_.*pub$/.test(name)) assert.equal((await folder.read(`sec/${name}`)).length, 44);
    }
  }
  await registerClient(folder, "last");
});

Deno.test("purgeclients asks, refuses without a terminal, and removes everything with --yes", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder, "a");
  await registerClient(folder, "b");
  await folder.write("sec/client_bob.pub", "corrupt");
  await folder.write("sec/notes.txt", "stays");
  const refused = await msp(["purgeclients"], options);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /there is no terminal\nmsp: hint: pass --yes/);
  assert.ok((await folder.names("sec")).includes("client_1.pub"));
  assert.equal(await mspOk(["purgeclients", "--yes"], options), "Removed 3 clients\n");
  const left = [
    ".lock",
    "clients.dev",
    "notes.txt",
    "server.key",
    "server.pub",
    "server2.key",
    "server2.pub",
  ];
  assert.deepEqual(await folder.names("sec"), left);
  assert.equal(await folder.read("sec/clients.dev"), "");
  assert.equal(await mspOk(["purgeclients", "--yes"], options), "Removed 0 clients\n");
});

Deno.test("purgeclients on a terminal obeys the answer", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const line = [...PROGRAM, "purgeclients"].map((word) => `'${word}'`).join(" ");
  const answer = async (text: string) =>
    await run(["bash", "-c", `echo ${text} | script -qec "${line}" /dev/null`], {
      cwd: folder.path,
    });
  const no = await answer("n");
  assert.match(no.out, /Proceed\? \(y\|n\)[\s\S]*Nothing changed/);
  assert.ok((await folder.names("sec")).includes("client_1.pub"));
  assert.match((await answer("y")).out, /Removed 1 client\b/);
  assert.ok(!(await folder.names("sec")).includes("client_1.pub"));
});

const CALL_FAILS = [
  {
    why: "nobody listens",
    args: ["http://127.0.0.1:9/v1", "f"],
    error: /Cannot reach http:\/\/127\.0\.0\.1:9\/v1: /,
  },
  {
    why: "no key",
    args: ["http://127.0.0.1:9/v1", "f", "--key", "no.key"],
    error: /Cannot read no\.key: not found/,
  },
  {
    why: "no secret",
    args: ["http://127.0.0.1:9/v1", "f", "--secret", "no"],
    error: /Cannot read no: not found/,
  },
  {
    why: "bad secret",
    args: ["http://127.0.0.1:9/v1", "f", "--secret", "client.pub"],
    error: /expected 128 hex digits/,
  },
  {
    why: "bad server key",
    args: ["http://127.0.0.1:9/v1", "f", "--server-key", "client.secret"],
    error: /Cannot read client\.secret: the text is not/,
  },
];

Deno.test("call says what is wrong, with exit status 1 and nothing on standard output", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  for (const { why, args, error } of CALL_FAILS) {
    const { code, out, err } = await msp(["call", ...args], { cwd: folder.path });
    assert.deepEqual([code, out], [1, ""], why);
    assert.match(err, error, why);
  }
});

Deno.test("call distinguishes an answer that does not open, a refusal and another server", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  const answers: Record<string, () => Response> = {
    "/sealed": () => Response.json({ value: "A".repeat(80) }),
    "/html": () => new Response("<html>"),
    "/missing": () => new Response(null, { status: 404 }),
    "/moved": () => Response.redirect("http://192.0.2.1/"),
    "/v1": () => new Response(null, { status: 401 }),
  };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.body?.cancel();
      return answers[new URL(request.url).pathname]?.() ?? new Response(null, { status: 500 });
    },
  );
  const expected: Record<string, RegExp> = {
    "/sealed": /the answer does not open under these keys/,
    "/html": /the answer does not open/,
    "/missing": /status 404/,
    "/moved": /status 302/,
    "/v1": /refused the call \(401\)/,
  };
  for (const [path, error] of Object.entries(expected)) {
    const url = `http://127.0.0.1:${server.addr.port}${path}`;
    const { code, out, err } = await msp(["call", url, "f"], { cwd: folder.path });
    assert.deepEqual([code, out], [1, ""], path);
    assert.match(err, error, path);
  }
});

Deno.test("commands and server agree on the files through config.ini", async () => {
  await using folder = await TempFolder.make();
  await folder.write(
    "my.ini",
    "[Server]\nKeypath=srv\n[Clients]\nKeypath=cli\nRegister=reg/clients.dev\n",
  );
  await mspOk(["keygen", "pair", "client"], { cwd: folder.path });
  const key = await folder.read("client.pub");
  const options = { cwd: folder.path, env: { MSP_CONFIG_PATH: "my.ini" } };
  await mspOk(["appendclient", key], options);
  assert.deepEqual(await folder.names("cli"), [".lock", "client_1.pub"]);
  assert.deepEqual(await folder.names("srv"), [
    ".lock",
    "server.key",
    "server.pub",
    "server2.key",
    "server2.pub",
  ]);
  await using server = await ServerProcess.start(options);
  assert.match(server.err, /Registered client keys: 1, secrets: 1/);
  await mspOk(["purgeclients", "--yes", "--config", "my.ini"], { cwd: folder.path });
  assert.deepEqual(await folder.names("cli"), [".lock"]);
});

Deno.test("call refuses an answer that is a value of its own request, and prints nothing of it", async () => {
  await using folder = await TempFolder.make();
  const { secretHex } = await registerClient(folder);
  for (const name of ["id", "check", "ts", "entry"]) {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => Response.json({ value: (await request.json())[name] }),
    );
    const url = `http://127.0.0.1:${server.addr.port}/v1`;
    const { code, out, err } = await msp(["call", url, "time_test"], { cwd: folder.path });
    assert.equal(code, 1, name);
    assert.equal(out, "");
    assert.match(err, /the answer does not open under these keys/);
    assert.ok(!err.includes(secretHex));
  }
});
