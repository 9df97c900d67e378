import assert from "node:assert/strict";
import { registerClient } from "../registered.ts";
import { msp, mspOk, PROGRAM, run, ServerProcess, TempFolder } from "../program.ts";

const KEY = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";

const REFUSED_KEYS = [
  { key: "AAAA", error: /not 32 bytes but 3/, why: "too short" },
  { key: "not base64 at all, not base64 at all, not ba", error: /not base64/, why: "spaces" },
  { key: `${"A".repeat(43)}=`, error: /low order/, why: "all zero" },
  { key: "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=", error: /low order/, why: "order 8" },
  { key: `${"/".repeat(42)}8=`, error: /not in canonical form/, why: "2^256 - 1" },
  { key: `Ag${"A".repeat(41)}=`, error: /not the public key of any key pair/, why: "twist" },
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
  await Deno.writeTextFile(folder.join("sec/clients.dev"), "\n# Anna\nCANARY", { append: true });
  await mspOk(["keygen", "pair", "client"], { cwd: folder.path });
  const { err } = await msp(["appendclient", "client.pub"], { cwd: folder.path });
  assert.match(err, /\/sec\/clients\.dev: line 3 is not a secret, skipped; see msp doctor\n/);
  assert.ok((await folder.names("sec")).includes("client_11.pub"));
  const lines = (await folder.read("sec/clients.dev")).split("\n");
  assert.deepEqual(lines.slice(0, 3), ["ab".repeat(64), "# Anna", "CANARY"]);
  assert.match(lines[3] ?? "", /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(lines.slice(4), [""]);
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
      if (!/^client_.*pub$/.test(name)) continue;
      assert.match(await folder.read(`sec/${name}`), /^\S{44}\nadded = \S+ by appendclient\n$/);
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
  const keys = [await folder.read("a.pub"), await folder.read("b.pub")];
  const purged = await msp(["purgeclients", "--yes"], options);
  assert.equal(purged.out, "Removed 3 clients\n");
  assert.deepEqual(purged.err.trimEnd().split("\n"), [
    "msp: note: to register them again, with new secrets:",
    ...keys.map((key) => `msp: note: msp appendclient ${key}`),
  ]);
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

Deno.test("rotate-server-key and rotate-secrets print for programs, and notes on standard error", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await registerClient(folder);
  const key = await msp(["rotate-server-key", "--yes", "--grace", "48"], options);
  assert.match(
    key.out,
    /^Server public key:\n\t\S{44}\nServer public key for protocol v2:\n\t\S{44}\n$/,
  );
  assert.match(key.err, /^msp: note: the previous keys are accepted until \d{4}-\S+Z\n$/);
  const again = await msp(["rotate-server-key", "--yes", "--grace", "1"], options);
  assert.match(
    again.err,
    /^msp: note: the previous keys are accepted until \S+\nmsp: note: earlier keys are accepted until \S+\n$/,
  );
  const object = JSON.parse(await mspOk(["rotate-server-key", "--yes", "--json"], options));
  assert.equal(object.server_public_key, await folder.read("sec/server.pub"));
  assert.equal(object.server2_public_key, await folder.read("sec/server2.pub"));
  assert.equal(object.previous_accepted_until, null);
  const secrets = await msp(["rotate-secrets", "--yes", "--grace", "0.5"], options);
  assert.match(secrets.out, /^Client Hex Secret: [0-9a-f]{128}\n$/);
  assert.match(secrets.err, /the previous secrets are accepted until \d{4}-\S+Z\n$/);
  const doctor = await msp(["doctor"], options);
  assert.match(doctor.out, /^1 previous secret is accepted until \S+\n/m);
  assert.doesNotMatch(doctor.out, /clients\.dev/);
  const rest = await msp(["rotate-secrets", "--yes"], options);
  assert.match(rest.err, /^msp: note: the previous secrets are refused from now on; only a backup/);
  await Deno.remove(folder.join("sec/server.key"));
  await Deno.remove(folder.join("sec/.lock"));
  const missing = await msp(["rotate-server-key", "--yes"], options);
  assert.match(missing.err, /^msp: error: Cannot read \S+sec\/server\.key: not found\n/);
  assert.ok(!(await folder.names("sec")).includes(".lock"));
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
