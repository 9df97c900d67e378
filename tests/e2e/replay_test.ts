/**
 * What somebody who reads along can do with what was sent: nothing, also after a restart.
 */
import assert from "node:assert/strict";
import { Box } from "../../lib/crypto/box.ts";
import type { PrivateKey, PublicKey, SecretHex } from "../../lib/crypto/keys.ts";
import { encodeRequest } from "../../lib/protocol/v1_messages.ts";
import { type RequestMembers, sealRequest, type TestClient } from "../v1_client.ts";
import { sendAll } from "../load.ts";
import { RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { postTo, registerClient } from "../registered.ts";

/** On the executable as many as asked for; the sources are the same program. */
const CAPTURED = RUNTIME.isExecutable ? 100_000 : 10_000;
const MEMBERS = ["id", "check", "ts", "entry"] as const;
/** So that a request is not refused for its age. */
const CONFIG = "[Clients]\nRequestTTL=86400\n";

/** Many requests, sealed by libsodium: tweetnacl would take a minute. */
async function sealMany(client: TestClient, count: number): Promise<string[]> {
  const box = await Box.load();
  const key = box.deriveSharedKey(
    client.serverPublicKey as PublicKey,
    client.secretKey as PrivateKey,
  );
  assert.ok(key !== undefined);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const content = {
    secretHex: client.secretHex as SecretHex,
    functionName: "time_test",
    nowSeconds,
  };
  const nonce = new Uint8Array(24);
  const seal = (plain: Uint8Array): Uint8Array =>
    box.seal(key, crypto.getRandomValues(nonce), plain);
  return Array.from({ length: count }, () => encodeRequest(content, seal));
}

Deno.test(`${CAPTURED} captured requests that are sent again: none is accepted, before and after kill -9`, async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", CONFIG);
  const bodies = await sealMany(client, CAPTURED);
  {
    await using server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/Functions: time_test/);
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

Deno.test("every mix of members of two captured requests is refused, and so are answers in their place, after a restart too", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  const other = await registerClient(folder, "other");
  await folder.write("config/config.ini", CONFIG);
  const [a, b, c] = [client, client, other].map((each) => sealRequest(each, "time_test"));
  assert.ok(a && b && c);
  const mixes = [...mixesOf(a, b), ...mixesOf(a, c)];
  const answers: string[] = [];
  const check = async (server: ServerProcess): Promise<void> => {
    for (const bodies of [answers, mixes]) {
      assert.deepEqual([...await sendAll(server.port, bodies)], [[401, bodies.length]]);
    }
  };
  {
    await using server = await ServerProcess.start({ cwd: folder.path });
    await server.waitForLog(/Functions: time_test/);
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
