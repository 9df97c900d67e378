/**
 * What somebody who reads along can do with what was sent: nothing, also after a restart.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Box } from "../../lib/crypto/box.ts";
import { sealMany } from "../captured.ts";
import { type RequestMembers, sealRequest } from "../v1_client.ts";
import { sendAll } from "../load.ts";
import { IS_FULL } from "../conditions.ts";
import { msp, ServerProcess, TempFolder } from "../program.ts";
import { postTo, registerClient } from "../registered.ts";
import { waitUntil } from "../functions.ts";

/** Of each round. */
const CAPTURED = IS_FULL ? 100_000 : 10_000;
const MEMBERS = ["id", "check", "ts", "entry"] as const;
/** So that a request is not refused for its age. */
const CONFIG = "[Clients]\nRequestTTL=86400\n";

Deno.test(`${CAPTURED} captured requests that are sent again: none is accepted, before and after kill -9`, async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", CONFIG);
  const bodies: string[] = [];
  {
    await using server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/Functions: time_test/);
    bodies.push(...await sealMany(client, CAPTURED));
    assert.deepEqual([...await sendAll(server.port, bodies)], [[200, CAPTURED]]);
    assert.deepEqual([...await sendAll(server.port, bodies)], [[401, CAPTURED]]);
    server.signal("SIGKILL");
    await server.status();
  }
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(new RegExp(`Requests remembered from before: ${CAPTURED}\n`));
  // Every tenth: the memory is the same for all.
  const some = bodies.filter((_, index) => index % 10 === 0);
  assert.deepEqual([...await sendAll(server.port, some)], [[401, some.length]]);
});

/** Every way to take each member from one of two requests, but for the requests themselves. */
function mixesOf(a: RequestMembers, b: RequestMembers): string[] {
  return Array.from({ length: 14 }, (_, i) => {
    const pick = (bit: number): RequestMembers => (((i + 1) >> bit) & 1) === 0 ? a : b;
    const members = MEMBERS.map((name, bit) => [name, pick(bit)[name]]);
    return JSON.stringify(Object.fromEntries(members));
  });
}

Deno.test("every mix of members of two captured requests is refused, and so are answers as members, even after a restart", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  const other = await registerClient(folder, "other");
  await folder.write("config/config.ini", CONFIG);
  const answers: string[] = [], mixes: string[] = [];
  const check = async (server: ServerProcess): Promise<void> => {
    for (const bodies of [answers, mixes]) {
      assert.deepEqual([...await sendAll(server.port, bodies)], [[401, bodies.length]]);
    }
  };
  {
    await using server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/Functions: time_test/);
    const [a, b, c] = [client, client, other].map((each) => sealRequest(each, "time_test"));
    assert.ok(a && b && c);
    mixes.push(...mixesOf(a, b), ...mixesOf(a, c));
    for (const members of [a, b, c]) {
      const response = await postTo(server.url, JSON.stringify(members));
      assert.equal(response.status, 200);
      const { value } = JSON.parse(await response.text());
      // The box is symmetric: what the server sealed opens as if its client had sealed it.
      const fresh = sealRequest(client, "time_test");
      for (const name of MEMBERS) answers.push(JSON.stringify({ ...fresh, [name]: value }));
      answers.push(JSON.stringify({ id: value, check: value, ts: value, entry: value }));
    }
    await check(server);
    assert.match(server.err, /a value was sealed by this server/);
  }
  await using server = await ServerProcess.start({ cwd: folder.path });
  await check(server);
});

/** Sends requests of a client one after the other; how many were accepted. */
async function countAccepted(url: string, bodies: readonly string[]): Promise<number> {
  let count = 0;
  for (const body of bodies) {
    const response = await postTo(url, body);
    await response.body?.cancel();
    if (response.status === 200) count++;
  }
  return count;
}

Deno.test("a second server on the same folder is refused, and the first one goes on", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  await using server = await ServerProcess.start(options);
  const args = ["serve", "--host", "127.0.0.1", "--port", "0"];
  const second = await msp(args, options);
  assert.equal(second.code, 1);
  assert.match(
    second.err,
    new RegExp(
      `msp: error: Cannot use \\S+/sec/state: another server \\(process ${server.pid}\\) uses it\n` +
        "msp: hint: stop that server; ",
    ),
  );
  assert.equal(second.out, "");
  assert.doesNotMatch(await folder.read("log/latest.log"), /Stopped/, "the first one goes on");
  const body = JSON.stringify(sealRequest(client, "time_test"));
  assert.equal(await countAccepted(server.url, [body, body]), 1);
});

Deno.test("what is removed from the state folder while the server runs is created again", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  await folder.write("config/config.ini", "[Clients]\nRequestTTL=600\n");
  const client = await registerClient(folder);
  const requests = (count: number): string[] =>
    Array.from({ length: count }, () => JSON.stringify(sealRequest(client, "time_test")));
  const before = requests(2), after = requests(2);
  {
    await using server = await ServerProcess.start(options);
    before.push(...requests(3));
    assert.equal(await countAccepted(server.url, before.slice(2)), 3);
    await Deno.remove(folder.join("sec/state"), { recursive: true });
    await server.waitForLog(/server\.lock was removed, and created again/);
    after.push(...requests(3));
    assert.equal(await countAccepted(server.url, after.slice(2)), 3);
    assert.equal((await msp(["serve", "--port", "0"], options)).code, 1, "it is still locked");
    server.signal("SIGKILL");
    await server.status();
  }
  await using server = await ServerProcess.start(options);
  assert.equal(await countAccepted(server.url, [...before, ...after]), 0);
  assert.equal(await countAccepted(server.url, requests(1)), 1);
});

Deno.test("a journal that is removed between two starts lets nothing in a second time", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  const bodies: string[] = [];
  {
    await using server = await ServerProcess.start(options);
    for (let i = 0; i < 3; i++) bodies.push(JSON.stringify(sealRequest(client, "time_test")));
    assert.equal(await countAccepted(server.url, bodies), 3);
  }
  await Deno.remove(folder.join("sec/state"), { recursive: true });
  // The time in a request counts in whole seconds.
  const second = Math.floor(Date.now() / 1000);
  await waitUntil(() => Promise.resolve(Math.floor(Date.now() / 1000) > second), "the next second");
  await using server = await ServerProcess.start(options);
  assert.equal(await countAccepted(server.url, bodies), 0);
  await server.waitForLog(/predates_memory|older than the memory of accepted requests/);
});

Deno.test("the journal of version 0.1 is taken over", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const client = await registerClient(folder);
  const key = crypto.getRandomValues(new Uint8Array(16));
  const box = await Box.load();
  const fingerprintKey = box.keepShortHashKey(key);
  const accepted = Array.from({ length: 4 }, () => sealRequest(client, "time_test"));
  const expires = Math.floor(Date.now() / 1000) + 30;
  /** As 0.1 wrote it. */
  const journal = (members: readonly RequestMembers[]): Uint8Array => {
    const words = members.flatMap((each) => {
      const out = new Uint32Array(8);
      for (const [i, name] of MEMBERS.entries()) {
        const data = new Uint8Array(Buffer.from(each[name], "base64url"));
        box.shortHash(fingerprintKey, { data, length: 24 }, { out, at: 2 * i });
      }
      return [expires, ...out];
    });
    const records = new Uint8Array(Uint32Array.from(words).buffer);
    return Uint8Array.of(...new TextEncoder().encode("MSP-RJ1\n"), ...key, ...records);
  };
  await Deno.mkdir(folder.join("log"));
  await Deno.writeFile(folder.join("log/replay.journal.1"), journal(accepted.slice(0, 2)));
  await Deno.writeFile(folder.join("log/replay.journal"), journal(accepted.slice(2)));
  await using server = await ServerProcess.start(options);
  await server.waitForLog(/Requests remembered from before: 4\n/);
  const bodies = accepted.map((each) => JSON.stringify(each));
  const fresh = JSON.stringify(sealRequest(client, "time_test"));
  assert.equal(await countAccepted(server.url, [...bodies, fresh, ...bodies]), 1);
  assert.deepEqual(await folder.names("log"), ["latest.log"]);
});
