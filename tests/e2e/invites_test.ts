/**
 * Invites with the real program: from a link or a QR code to a call, many at once, stolen, and replayed.
 */
import assert from "node:assert/strict";
import decodeQR from "qr/decode.js";
import { Connection } from "../../client/mod.ts";
import type { Fetch } from "../../client/transport.ts";
import { invite, joinBy, listed } from "../invited.ts";
import { memoryProfiles } from "../memory_profiles.ts";
import { msp, mspOk, ServerProcess, TempFolder } from "../program.ts";
import { writeModules } from "../functions.ts";
import { postTo } from "../registered.ts";
import { errorOf } from "../v2_server.ts";

const MODULES = {
  echo: "export const entry_call = ({ params }) => params ?? 'v1';",
  other: "export const entry_call = () => 'other';",
};

async function startServer(folder: TempFolder): Promise<ServerProcess> {
  await writeModules(folder, { modules: MODULES });
  const server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO functions: Functions: /);
  return server;
}

/** The text of a code as an SVG document: a path of squares. */
function readSvg(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const rows = Array.from({ length: size }, () => Array<boolean>(size).fill(true));
  let x = 0, y = 0;
  for (const [, how, dx, dy] of svg.matchAll(/([Mm]) ?(-?\d+)[ ,]?(-?\d+)h1v1/g)) {
    x = Number(dx) + (how === "m" ? x : 0);
    y = Number(dy) + (how === "m" ? y : 0);
    const row = rows[y];
    assert.ok(row !== undefined);
    row[x] = false;
  }
  return readPixels(rows);
}

/** The text of a code in half blocks, whose light modules are drawn. */
function readCode(text: string): string {
  const lines = text.split("\n").filter((line) => /^[█▀▄ ]+$/.test(line));
  const isLight = (block: string, half: string): boolean => block === "█" || block === half;
  return readPixels(
    lines.flatMap((line) =>
      ["▀", "▄"].map((half) => [...line].map((block) => isLight(block, half)))
    ),
  );
}

/** Renders rows of modules, light or not, and reads what they say. */
function readPixels(rows: readonly (readonly boolean[])[]): string {
  const scale = 4, width = (rows[0]?.length ?? 0) * scale, height = rows.length * scale;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isLight = rows[Math.floor(y / scale)]?.[Math.floor(x / scale)] ?? true;
      data.fill(isLight ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return decodeQR({ width, height, data });
}

Deno.test("invite, link or QR code, join in another folder, call", async () => {
  await using folder = await TempFolder.make();
  await using server = await startServer(folder);
  await using home = await TempFolder.make();
  const client = { cwd: home.path, env: { HOME: home.path } };
  const { origin } = new URL(server.url);

  const asked = await msp(["invite", "phone"], { cwd: folder.path });
  assert.equal(asked.code, 2);
  assert.match(asked.err, /the address of the server is not known\nmsp: hint: .*--url/);

  const rules = ["phone", "--functions", "echo", "--key-expires", "90d"];
  const made = await msp(["invite", ...rules, "--url", origin, "--qr"], { cwd: folder.path });
  assert.equal(made.code, 0, made.err);
  const [link = ""] = made.out.split("\n");
  assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/join#1\.[\w-]{43}\.[\w-]{22}$/);
  assert.equal(readCode(made.out), link);
  assert.match(made.err, /the client "phone" may call echo; its key expires 90 days after joining/);
  // What only the client may have is not shown a second time.
  assert.ok(!made.err.includes(link.slice(-22)));

  const joined = JSON.parse(await mspOk(["join", readCode(made.out), "--json"], client));
  assert.deepEqual([joined.profile, joined.url, joined.files], ["home", `${origin}/v2`, []]);
  assert.equal(await home.mode(".config/msp/home.json"), "600");
  assert.equal(await mspOk(["call", "home", "echo", "item=milk"], client), '{"item":"milk"}\n');
  const denied = await msp(["call", "home", "other"], client);
  assert.match(denied.err, /there is no such function, or this client may not call it/);
  const file = await folder.read("sec/client_1.pub");
  assert.match(
    file,
    /^.{44}\nname = phone\nfunctions = echo\nexpires = .*\nadded = .* by invite .{8}\n$/,
  );
  assert.equal(file.slice(0, 44), joined.public_key);
  const { privateKey } = JSON.parse(await home.read(".config/msp/home.json"));
  for (const name of ["sec/client_1.pub", "sec/clients.dev", "log/latest.log"]) {
    const text = await folder.read(name);
    assert.ok(!text.includes(privateKey) && !text.includes(link.slice(-22)), name);
  }

  // A second device, by protocol v1 too, and a name of its own.
  const second = await invite(folder, server.url, ["--svg", "code.svg"]);
  assert.equal(await folder.mode("code.svg"), "600");
  assert.equal(readSvg(await folder.read("code.svg")), second);
  const args = ["join", second, "--name", "laptop", "--profile", "other", "--v1", "old"];
  assert.match(await mspOk(args, client), /^Joined .* as profile other\n(?:Generated: .*\n){3}$/);
  for (const name of ["client.key", "client.secret", "server.pub"]) {
    assert.equal(await home.mode(`old/${name}`), "600");
  }
  const old = { ...client, cwd: home.join("old") };
  assert.equal(await mspOk(["call", server.url, "echo"], old), "v1\n");
  assert.match(await folder.read("sec/client_2.pub"), /^name = laptop$/m);
  // The same again gives the same.
  const secret = await home.read("old/client.secret");
  await Deno.remove(home.join("old/client.secret"));
  await mspOk(args, client);
  assert.equal(await home.read("old/client.secret"), secret);
  assert.deepEqual((await listed(folder)).map(({ state }) => state), ["used", "used"]);
});

Deno.test("what is refused: links, addresses, invites that are over", async () => {
  await using folder = await TempFolder.make();
  await using server = await startServer(folder);
  await using home = await TempFolder.make();
  const client = { cwd: home.path, env: { HOME: home.path } };
  const link = await invite(folder, server.url);
  const [address = "", fragment = ""] = link.split("#");
  const cases = [
    {
      why: "another version",
      link: `${address}#2.${fragment.slice(2)}`,
      says: /version 2, expected 1/,
    },
    { why: "cut", link: link.slice(0, -1), says: /not complete/ },
    { why: "no fragment", link: address, says: /not complete/ },
    { why: "other bits at the end", link: `${link.slice(0, -1)}_`, says: /not complete/ },
    { why: "more parts", link: `${link}.x`, says: /not complete/ },
    { why: "no link", link: "home", says: /not complete/ },
  ];
  for (const { why, link, says } of cases) {
    const { code, err } = await msp(["join", link], client);
    assert.equal(code, 2, why);
    assert.match(err, says, why);
    assert.ok(!err.includes(fragment.slice(-22)), "a link is a secret");
  }
  for (
    const url of ["home.example", "https://u:p@home.example", "https://home.example/?a", "ftp://x"]
  ) {
    const { code, err } = await msp(["invite", "--url", url], { cwd: folder.path });
    assert.equal(code, 2, url);
    assert.match(err, /--url, expected an address/);
  }
  const [open] = await listed(folder);
  assert.equal(open?.state, "open");
  await mspOk(["invites", "revoke", open?.id ?? ""], { cwd: folder.path });
  const { code, err } = await msp(["join", link], client);
  assert.equal(code, 1);
  assert.match(
    err,
    /Cannot join .*: this invite was used by another client, has expired, or was revoked/,
  );
  // The key of a profile that can never be registered is not kept.
  assert.deepEqual(await home.names(".config/msp"), []);
  assert.doesNotMatch(err, /keeps the key/);
  const away = link.replace(/^http:[^#]*/, "http://127.0.0.1:9/join");
  const first = await msp(["join", away, "--profile", "away"], client);
  assert.match(first.err, /^msp: note: profile away keeps the key for another try\nmsp: error: /);
  const again = await msp(["join", away, "--profile", "away"], client);
  assert.match(again.err, /^msp: error: Cannot join /);
  await server.waitForLog(
    /Refused invite .{8} from 127\.0\.0\.1: it is revoked \(reference .{8}\)/,
  );
});

Deno.test("50 clients at once on an invite for 3: exactly 3, and the others are told", async () => {
  await using folder = await TempFolder.make();
  await using server = await startServer(folder);
  const link = await invite(folder, server.url, ["--uses", "3"]);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, () => joinBy(link, { timeoutMs: 60_000 })),
  );
  const joined = outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
  assert.equal(joined.length, 3);
  for (const each of outcomes) {
    if (each.status === "fulfilled") continue;
    assert.equal(each.reason.data, "invite not valid", String(each.reason));
  }
  const files = (await folder.names("sec")).filter((name) => name.startsWith("client_"));
  assert.deepEqual(files, ["client_1.pub", "client_2.pub", "client_3.pub"]);
  for (const { profile } of joined) {
    assert.deepEqual(await new Connection(profile).call("echo", { a: 1 }), { a: 1 });
  }
  const [used] = await listed(folder);
  assert.deepEqual([used?.state, used?.uses_left, used?.clients.length], ["used", 0, 3]);
});

Deno.test("a stolen invite shows up, and a recorded one does nothing", async () => {
  await using folder = await TempFolder.make();
  await using server = await startServer(folder);
  const link = await invite(folder, server.url, ["phone"]);
  const open = await invite(folder, server.url, ["--uses", "5"]);
  const hellos: Uint8Array<ArrayBuffer>[] = [];
  const recording: Fetch = (url, init) => {
    if (init.body instanceof Uint8Array) hellos.push(Uint8Array.from(init.body));
    return fetch(url, init);
  };
  const thief = await joinBy(link, { fetch: recording, v1: true });
  const error = await errorOf(joinBy(link));
  assert.match(error.message, /this invite was used by another client/);
  const [used] = await listed(folder);
  const [client] = used?.clients ?? [];
  assert.equal(client?.address, "127.0.0.1");
  assert.ok(Math.abs(Date.parse(client?.at ?? "") - Date.now()) < 60_000);
  assert.equal((await folder.read(`sec/${client?.file}`)).slice(0, 44), client?.public_key);
  const text = await mspOk(["invites"], { cwd: folder.path });
  assert.match(
    text,
    /used +\S+ +0 of 1 +phone\n {2}used \S+ from 127\.0\.0\.1: client_1\.pub SHA256:/,
  );

  const [stolen] = hellos;
  assert.ok(stolen !== undefined && hellos.length === 1);
  const replay = async (hello: Uint8Array<ArrayBuffer> | undefined): Promise<number> => {
    const headers = { "content-type": "application/octet-stream" };
    const url = server.url.replace("/v1", "/v2");
    const response = await postTo(url, hello ?? assert.fail("none was recorded"), headers);
    await response.body?.cancel();
    return response.status;
  };
  const before = await storeOf(folder);
  // An answer that only the client can open.
  assert.equal(await replay(stolen), 200);
  assert.deepEqual(await storeOf(folder), before);

  // Not even with uses left does it bring back a client that was removed.
  await joinBy(open, { fetch: recording });
  const logged = server.err.length;
  for (const client of ["1", "2"]) {
    await mspOk(["removeclient", client, "--yes"], { cwd: folder.path });
  }
  const isReloaded = (): boolean => /reloaded: 0 client keys/.test(server.err.slice(logged));
  await server.waitFor(isReloaded, "reload without clients");
  const removed = await storeOf(folder);
  for (const hello of hellos) await replay(hello);
  assert.equal(hellos.length, 2);
  assert.deepEqual(await storeOf(folder), removed);
  assert.equal((await errorOf(new Connection(thief.profile).call("echo"))).code, "refused");
});

/** Names, sizes and times of everything that is registered. */
async function storeOf(folder: TempFolder): Promise<string[]> {
  const paths = [
    ...(await folder.names("sec")).filter((name) => !/^state$|^\.lock$/.test(name)),
    ...(await folder.names("sec/invites")).map((name) => `invites/${name}`),
  ];
  return await Promise.all(paths.map(async (path) => {
    const { size, mtime } = await Deno.stat(folder.join("sec", path));
    return `${path} ${path === "invites" ? "" : size} ${
      path === "invites" ? "" : mtime?.getTime()
    }`;
  }));
}

Deno.test("one profile is one key: joining again with it takes no second use", async () => {
  await using folder = await TempFolder.make();
  await using server = await startServer(folder);
  const profiles = memoryProfiles();
  const link = await invite(folder, server.url, ["--uses", "2"]);
  const first = await joinBy(link, { profiles });
  // The same profile is the same key: no second use.
  const again = await joinBy(link, { profiles });
  assert.equal(again.wasKept, true);
  assert.equal(again.profile.privateKey, first.profile.privateKey);
  assert.equal((await listed(folder))[0]?.uses_left, 1);
  await joinBy(link, { profiles, profile: "second" });
  assert.equal((await listed(folder))[0]?.uses_left, 0);
  const other = `${link.split("#")[0]}#1.${"A".repeat(42)}E.${"A".repeat(22)}`;
  await assert.rejects(joinBy(other, { profiles }), /exists already, for another server/);
});
