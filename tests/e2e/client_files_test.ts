/**
 * @module
 * Clients in the key store as operators handle them: registered from a text, a file or standard input,
 * listed, shown, changed and removed under their names.
 */
import assert from "node:assert/strict";
import { msp, mspOk, type Outcome, PROGRAM, run, TempFolder } from "../program.ts";

const ADDED = /^added = \d{4}-\d\d-\d\d by appendclient\n/m;

async function makeKeys(folder: TempFolder, ...names: string[]): Promise<void> {
  for (const name of names) await mspOk(["keygen", "pair", name], { cwd: folder.path });
}

/** The program with a file as its standard input. */
async function mspFrom(file: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return await run(["bash", "-c", 'f=$1; shift; "$@" <"$f"', "bash", file, ...PROGRAM, ...args], {
    cwd,
  });
}

Deno.test("appendclient takes the text of a key, a file, and standard input", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await makeKeys(folder, "a", "b", "c");
  await folder.write("b.pub", `\ufeff${await folder.read("b.pub")}\r\n`);
  await mspOk(["appendclient", await folder.read("a.pub")], options);
  await mspOk(["appendclient", "b.pub", "--name", "phone"], options);
  const third = await mspFrom("c.pub", ["appendclient", "-", "--json"], folder.path);
  assert.equal(third.code, 0, third.err);
  assert.equal(JSON.parse(third.out).file, folder.join("sec/client_3.pub"));
  assert.equal(
    third.err,
    `msp: note: registered in ${folder.join("sec/client_3.pub")}; to undo: msp removeclient 3\n`,
  );
  for (const [number, name] of ["a", "b", "c"].entries()) {
    const text = await folder.read(`sec/client_${number + 1}.pub`);
    assert.equal(text.split("\n")[0], (await folder.read(`${name}.pub`)).trim());
    assert.match(text, ADDED);
  }
  assert.match(await folder.read("sec/client_2.pub"), /^name = phone$/m);
});

Deno.test("appendclient refuses what is not a public key, in one line, and changes nothing", async () => {
  await using folder = await TempFolder.make();
  await makeKeys(folder, "a", "b");
  await mspOk(["appendclient", "a.pub", "--name", "phone"], { cwd: folder.path });
  const register = await folder.read("sec/clients.dev");
  await folder.write("CANARY.key", await folder.read("a.pub"));
  await folder.write("comment.pub", `${await folder.read("b.pub")} CANARY`);
  await folder.write("two.pub", `${await folder.read("a.pub")}\n${await folder.read("b.pub")}\n`);
  await Deno.symlink("b.key", folder.join("link.pub"));
  for (const name of ["a", "z"]) await Deno.symlink("nowhere", folder.join(`${name}-gone.key`));
  await Deno.writeFile(folder.join("utf16.pub"), utf16(await folder.read("b.pub")));
  const privateKey = await folder.read("b.key");
  const cases: readonly (readonly [args: string[], error: RegExp])[] = [
    [
      ["b.key"],
      /Cannot register \/\S+\/b\.key: it is a private key, .*\nmsp: hint: pass \S+b\.pub/,
    ],
    [["link.pub"], /Cannot register \/\S+\/b\.key: it is a private key/],
    [["CANARY.key"], /CANARY\.key: it is a private key/],
    [[privateKey], /Cannot register this key: it is the private key in \/\S+\/b\.key\n/],
    [[` ${privateKey}\n`], /it is the private key in /],
    [["comment.pub"], /the text of \/\S+comment\.pub is a key with text behind it\n/],
    [["two.pub"], /the text of \S+ is more than one key\n/],
    [["utf16.pub"], /the text of \S+ is UTF-16, not UTF-8\n/],
    [["sec/server.pub"], /the server's own public key\n/],
    [["sec/server2.pub"], /the server's own public key\n/],
    [["no.pub"], /Cannot read \/\S+no\.pub: not found\n/],
    [["/dev/zero"], /Cannot re/],
    [["sec"], /Cannot read \/\S+sec: it is a folder\n/],
    [["-"], /the text of standard input is empty\n/],
    [[""], /the text is empty\n/],
    [["b.pub", "--name", "phone"], /Cannot use the name "phone": \/\S+client_1\.pub has it\n/],
    [["b.pub", "--name", "PHONE"], /Cannot use the name "PHONE"/],
  ];
  for (const [args, error] of cases) {
    const { code, out, err } = await msp(["appendclient", ...args], { cwd: folder.path });
    assert.deepEqual([code, out], [1, ""], `${args}: ${err}`);
    assert.match(err, error);
    assert.match(err, /^msp: error: [^\n]+\n(?:msp: hint: [^\n]+\n)?$/);
    assert.ok(!err.includes(privateKey) && !/CANARY$/m.test(err));
  }
  for (const args of [["--name", "7"], ["--rate", "5"], ["--expires", "soon"], ["--from", "me"]]) {
    const { code, err } = await msp(["appendclient", "b.pub", ...args], { cwd: folder.path });
    assert.equal(code, 2, err);
    assert.match(err, /Cannot run appendclient: --\w+ "\w+", expected /);
  }
  assert.equal(await folder.read("sec/clients.dev"), register);
  assert.deepEqual((await folder.names("sec")).filter((each) => each.startsWith("client_")), [
    "client_1.pub",
  ]);
});

function utf16(text: string): Uint8Array {
  return Uint8Array.from([0xff, 0xfe, ...[...text].flatMap((char) => [char.charCodeAt(0), 0])]);
}

Deno.test("appendclient --out writes what the client needs, or nothing at all", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await makeKeys(folder, "a", "b");
  const { code, out, err } = await msp(["appendclient", "a.pub", "--out", "x"], options);
  assert.equal(code, 0, err);
  const [secretPath, keyPath] = [folder.join("x/client.secret"), folder.join("x/server.pub")];
  assert.equal(out, `Created: ${secretPath}\nCreated: ${keyPath}\n`);
  const secret = await folder.read("x/client.secret");
  assert.match(secret, /^[0-9a-f]{128}$/);
  assert.ok(!out.includes(secret) && !err.includes(secret));
  assert.equal(await folder.read("x/server.pub"), await folder.read("sec/server.pub"));
  for (const name of ["client.secret", "server.pub"]) {
    assert.equal(await folder.mode(`x/${name}`), "600");
  }
  assert.equal(await folder.mode("x"), "700");

  const before = [await folder.read("sec/clients.dev"), await folder.names("sec")];
  const taken = await msp(["appendclient", "b.pub", "--out", "x"], options);
  assert.equal(taken.code, 1);
  assert.match(taken.err, /Cannot write \S+x\/client\.secret: it exists already\nmsp: hint: /);
  assert.equal(await folder.read("x/client.secret"), secret);
  await folder.write("y/server.pub", "other");
  for (
    const line of [
      ["bash", "-c", '"$@" --out y', "bash", ...PROGRAM, "appendclient", "b.pub"],
      ["bash", "-c", '"$@" --out z >/dev/full', "bash", ...PROGRAM, "appendclient", "b.pub"],
      ["bash", "-c", '"$@" >/dev/null', "bash", ...PROGRAM, "appendclient", "b.pub"],
      ["bash", "-c", '"$@" >/dev/null', "bash", ...PROGRAM, "rotate-secrets", "--yes"],
    ]
  ) {
    const failed = await run(line, options);
    assert.equal(failed.code, 1, failed.err);
    assert.equal(failed.err.match(/^msp: error: Cannot write/gm)?.length, 1, failed.err);
  }
  assert.deepEqual(await folder.names("y"), ["server.pub"]);
  assert.deepEqual(await folder.names("z"), []);
  assert.deepEqual([await folder.read("sec/clients.dev"), await folder.names("sec")], before);
  const third = await msp(["appendclient", "b.pub", "--out", "z", "--json"], options);
  assert.deepEqual(JSON.parse(third.out), {
    files: [folder.join("z/client.secret"), folder.join("z/server.pub")],
    server_public_key: await folder.read("sec/server.pub"),
    file: folder.join("sec/client_2.pub"),
  });
});

Deno.test("client shows and changes one client, and keeps what the change is not about", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await makeKeys(folder, "a", "b");
  await mspOk(["appendclient", "a.pub", "--name", "phone", "--rate", "30/min"], options);
  await mspOk(["appendclient", "b.pub"], options);
  await Deno.writeTextFile(folder.join("sec/client_1.pub"), "# of Anna\n", { append: true });
  const change = ["--rate", "", "--functions", "time_*,!time_x", "--name", "Anna's", "--json"];
  const { code, out, err } = await msp(["client", "PHONE", ...change], options);
  assert.equal(code, 0, err);
  assert.equal(
    err,
    "msp: note: to undo: msp client 1 --name phone --functions '' --rate 30/min\n",
  );
  const shown = JSON.parse(out);
  assert.deepEqual(shown.rules, { functions: "time_*, !time_x" });
  assert.equal(shown.name, "Anna's");
  const lines = (await folder.read("sec/client_1.pub")).split("\n");
  assert.equal(lines[0], await folder.read("a.pub"));
  assert.deepEqual(lines.slice(1).filter((line) => !ADDED.test(`${line}\n`)), [
    "name = Anna's",
    "# of Anna",
    "functions = time_*,!time_x",
    "",
  ]);
  assert.equal(await folder.mode("sec/client_1.pub"), "644");
  assert.deepEqual(
    JSON.parse(await mspOk(["client", shown.fingerprint, "--json"], options)),
    shown,
  );
  assert.match(await mspOk(["client", "anna's"], options), /^functions {4}time_\*, !time_x$/m);

  const past = await msp(["client", "2", "--expires", "2020-01-01"], options);
  assert.match(
    past.err,
    /to undo: .*\nmsp: note: the client is refused: it expired on 2020-01-01\n/,
  );
  const future = await msp(["client", "2", "--expires", "90d"], options);
  assert.match(future.err, /^msp: note: to undo: [^\n]*\n$/);
  const [, time = ""] = /^expires = (\S+Z)$/m.exec(await folder.read("sec/client_2.pub")) ?? [];
  const days = (Date.parse(time) - Date.now()) / 86_400_000;
  assert.ok(days > 89.9 && days <= 90, time);

  const refusals: readonly (readonly [args: string[], code: number, error: RegExp])[] = [
    [["2", "--name", "ANNA'S"], 1, /Cannot use the name "ANNA'S": \S+client_1\.pub has it/],
    [["2", "--expires", "90"], 2, /--expires "90", expected a date .*, or a duration such as 30m/],
    [["2", "--from", "x"], 2, /--from "x", expected IP addresses/],
    [["3"], 1, /no client has this number, name, public key/],
  ];
  for (const [args, status, error] of refusals) {
    const refused = await msp(["client", ...args], options);
    assert.equal(refused.code, status, refused.err);
    assert.match(refused.err, error);
  }
  await Deno.writeTextFile(folder.join("sec/client_2.pub"), "rat = 1/s\n", { append: true });
  const broken = await msp(["client", "2", "--rate", "1/s"], options);
  assert.equal(broken.code, 1);
  assert.match(
    broken.err,
    /client_2\.pub: line 4 is not a rule: .*\nmsp: hint: .*msp client 2 --clear/,
  );
  await mspOk(["client", "2", "--clear"], options);
  assert.match(await folder.read("sec/client_2.pub"), /^\S{44}\nadded = .*\n$/);
});

Deno.test("listclients and removeclient: names, rules, every file of a key, and the way back", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await makeKeys(folder, "a", "b");
  await mspOk(["appendclient", "a.pub"], options);
  const rules = ["--name", "it's b", "--functions", "f*", "--expires", "2020-01-01"];
  const slip = ["appendclient", "b.pub", ...rules, "--rate", "1/s", "--from", "::1"];
  assert.match((await msp(slip, options)).err, /the client is refused: it expired on 2020-01-01\n/);
  await Deno.copyFile(folder.join("sec/client_2.pub"), folder.join("sec/client_copy.pub"));
  await Deno.writeTextFile(folder.join("sec/client_1.pub"), "x\n", { append: true });
  const [head, ...rows] = (await mspOk(["listclients"], options)).trimEnd().split("\n");
  assert.match(head ?? "", /^NUMBER {2}NAME +PUBLIC KEY +ADDED +LAST USE +MAY$/);
  assert.match(
    rows[0] ?? "",
    /^1 +- +\S{44} {2}\d{4}-.* by appendclient +- +refused: line 3 is not/,
  );
  assert.match(rows[1] ?? "", /^2 +it's b +\S{44} .* f\*; 1\/s; from ::1; expired 2020-01-01$/);
  const [, , copy] = JSON.parse(await mspOk(["listclients", "--json"], options));
  await mspOk(["client", "1", "--clear"], options);
  assert.match(await mspOk(["listclients"], options), /^1 .* everything$/m);
  assert.deepEqual([copy.number, copy.name, copy.fault], ["copy", "it's b", null]);
  assert.deepEqual(Object.keys(copy.rules), ["functions", "expires", "from", "rate"]);

  const twice = await msp(["client", "it's b"], options);
  assert.match(twice.err, /Cannot choose a file: 2 and copy have the same key\nmsp: hint: /);
  const { code, out, err } = await msp(["removeclient", "It's B", "--yes"], options);
  assert.equal(code, 0, err);
  assert.equal(out.match(/^Removed client (?:2|copy) \(it's b\), SHA256:\S{43}$/gm)?.length, 2);
  const key = await folder.read("b.pub");
  const back = `appendclient ${key} --name 'it'\\''s b' --functions 'f*' --expires 2020-01-01 ` +
    "--from ::1 --rate 1/s";
  assert.equal(err, `msp: note: to register it again, with a new secret: msp ${back}\n`);
  const names = (await folder.names("sec")).filter((name) => name.startsWith("client_"));
  assert.deepEqual(names, ["client_1.pub"]);
  const again = await run(["bash", "-c", `"$@" ${back}`, "bash", ...PROGRAM], options);
  assert.equal(again.code, 0, again.err);

  for (const name of ["sec/client_2.pub", await folder.read("a.pub")]) {
    await mspOk(["removeclient", name, "--yes"], options);
  }
  const gone = await msp(["removeclient", "1", "--yes"], options);
  assert.equal(gone.code, 1);
  assert.match(gone.err, /no client has this number, name, .*\nmsp: hint: msp listclients/);
  const none = await msp(["listclients"], options);
  assert.deepEqual([none.out, none.err], [
    "",
    `msp: note: no client is registered in ${folder.join("sec")}\n`,
  ]);
  assert.equal(await mspOk(["listclients", "--json"], options), "[]\n");
});
