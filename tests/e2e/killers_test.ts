/**
 * What is known to have ended or fooled servers like this one, each as a test of its own.
 */
import assert from "node:assert/strict";
import nacl from "tweetnacl";
import { Buffer } from "node:buffer";
import { sealRequest, sealValue, type TestClient } from "../v1_client.ts";
import { waitUntil } from "../functions.ts";
import { sendAll } from "../load.ts";
import { residentMegabytes } from "../process_memory.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { RawConnection } from "../raw_http.ts";
import { callServer, postTo, registerClient } from "../registered.ts";

/** Runs a test on a server with a registered client, which must be answered at its end. */
async function onServer(
  attack: (server: ServerProcess, client: TestClient, folder: TempFolder) => Promise<void>,
  config = "[Limits]\nFailuresPerMinute=1000000\n",
): Promise<void> {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  await folder.write("config/config.ini", config);
  await using server = await ServerProcess.start({ cwd: folder.path });
  await attack(server, client, folder);
  assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
}

async function assertAllRefused(server: ServerProcess, bodies: readonly string[]): Promise<void> {
  assert.ok(bodies.length > 0);
  assert.deepEqual([...await sendAll(server.port, bodies)], [[401, bodies.length]]);
}

Deno.test("killer: chunked bodies that never end", async () => {
  await onServer(async (server) => {
    using connection = await RawConnection.open(server.port);
    await connection.send(
      "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `4000\r\n${" ".repeat(0x4000)}\r\n`;
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await connection.send(chunk).catch(() => {});
    };
    const [head] = await Promise.all([connection.readHead(), flood()]);
    assert.match(head, /^(?:HTTP\/1\.1 401 |$)/);
    await server.waitForLog(/the body is larger than/);
  });
});

Deno.test("killer: JSON 100,000 levels deep, and as deep as a body may be", async () => {
  await onServer(async (server) => {
    await assertAllRefused(server, [
      "[".repeat(100_000),
      "[".repeat(16_000),
      '{"a":'.repeat(3000),
      `{"id":${"[".repeat(8000)}${"]".repeat(8000)}}`,
    ]);
  });
});

Deno.test("killer: requests under all-zero keys and other public secrets", async () => {
  await onServer(async (server, client) => {
    const zero = new Uint8Array(32);
    const forged: TestClient[] = [
      { ...client, secretKey: zero },
      { ...client, secretKey: new Uint8Array(32).fill(255) },
      // The shared key of a point of low order is the same whatever the server's key is.
      { ...client, serverPublicKey: zero },
      { ...client, serverPublicKey: Uint8Array.of(1, ...new Uint8Array(31)) },
    ];
    await assertAllRefused(
      server,
      forged.map((each) => JSON.stringify(sealRequest(each, "time_test"))),
    );
  });
});

Deno.test("killer: a low-order key in the store admits no sender, even when it appears while the server runs", async () => {
  await onServer(async (server, client, folder) => {
    for (const [index, byte] of [0, 1].entries()) {
      const point = Buffer.from(Uint8Array.of(byte, ...new Uint8Array(31)));
      await folder.write(`sec/client_${10 + index}.pub`, point.toString("base64"));
    }
    await server.waitForLog(/client_11\.pub: a point of low order/);
    // Its shared key is the HSalsa20 of zeros.
    const shared = nacl.box.before(new Uint8Array(32), client.secretKey);
    const seal = (plaintext: Uint8Array): string => {
      const nonce = nacl.randomBytes(24);
      return Buffer.concat([nonce, nacl.secretbox(plaintext, nonce, shared)]).toString("base64url");
    };
    const id = seal(Buffer.from(client.secretHex));
    await assertAllRefused(server, [JSON.stringify({ id, check: id, ts: id, entry: id })]);
  });
});

Deno.test("killer: an unregistered key with a registered secret", async () => {
  await onServer(async (server, client) => {
    const { secretKey } = nacl.box.keyPair();
    const body = JSON.stringify(sealRequest({ ...client, secretKey }, "time_test"));
    await assertAllRefused(server, [body]);
    assert.match(server.err, /unknown sender/);
  });
});

Deno.test("killer: wrong lengths in every member, sealed and as bytes", async () => {
  await onServer(async (server, client) => {
    const bodies: string[] = [];
    for (const name of ["id", "check", "ts", "entry"] as const) {
      const good = (): Record<string, string> => sealRequest(client, "time_test");
      for (const length of [0, 1, 8, 9, 127, 128, 129, 255, 256, 1000]) {
        // A function's name may have any length up to 255: then it is one that does not exist.
        bodies.push(
          JSON.stringify({ ...good(), [name]: sealValue(client, new Uint8Array(length)) }),
          JSON.stringify({ ...good(), [name]: Buffer.alloc(length).toString("base64url") }),
        );
      }
      for (const length of [24, 39, 40, 41]) {
        const cut = Buffer.from(good()[name] ?? "", "base64url").subarray(0, length);
        bodies.push(JSON.stringify({ ...good(), [name]: cut.toString("base64url") }));
      }
    }
    await assertAllRefused(server, bodies);
  });
});

Deno.test("killer: __proto__, constructor and the like as members, names and values", async () => {
  await onServer(async (server, client) => {
    const names = [
      "__proto__",
      "constructor",
      "prototype",
      "toString",
      "hasOwnProperty",
      "valueOf",
    ];
    const bodies = names.flatMap((name) => [
      JSON.stringify(sealRequest(client, name)),
      `{"${name}":{"id":"x","check":"x","ts":"x","entry":"x"}}`,
      `{"id":"${name}","check":"${name}","ts":"${name}","entry":"${name}"}`,
    ]);
    await assertAllRefused(server, bodies);
    // As a member that nobody asked for it changes nothing.
    const body = JSON.stringify(sealRequest(client, "time_test"));
    const response = await postTo(server.url, `{"__proto__":{"entry":"x"},${body.slice(1)}`);
    await response.body?.cancel();
    assert.equal(response.status, 200);
  });
});

Deno.test("killer: files that are replaced half-way while the server runs", async () => {
  await onServer(async (server, client, folder) => {
    const key = await folder.read("sec/server.key");
    const registered = await folder.read("sec/client_1.pub");
    const broken: readonly [path: string, text: string, line: RegExp][] = [
      ["sec/server.key", key.slice(0, 20), /server\.key/],
      ["sec/server.key", "", /server\.key/],
      ["sec/client_1.pub", registered.slice(0, 20), /client_1\.pub: [^\n]*stays valid/],
      [
        "sec/clients.dev",
        "sha256:12",
        /clients\.dev: [^\n]*the secrets that were known stay valid/,
      ],
      ["config/modules.ini", "[Modules", /modules\.ini[^\n]*goes on as before/],
      ["modules/simple_time.js", "export const entry_call = (", /time_test[^\n]*/],
    ];
    for (const [path, text, line] of broken) {
      const good = await folder.read(path);
      const from = server.err.length;
      await folder.write(path, text);
      await server.waitFor(() => line.test(server.err.slice(from)), `a line about ${path}`);
      assert.match(String(await callServer(server.url, client, "time_test")), /^It is/, path);
      await folder.write(path, good);
    }
  });
});

Deno.test("killer: 10,000 addresses, names and hosts of unknown senders grow no table", async () => {
  const config = "[Limits]\nAddresses=1000\nFailuresPerMinute=1000000\n[Proxy]\nForwardFor=1\n";
  await onServer(async (server, client) => {
    const visit = async (from: number, to: number): Promise<void> => {
      const lane = async (lane: number): Promise<void> => {
        for (let i = from + lane; i < to; i += 32) {
          const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
          const headers = { "x-forwarded-for": address, [`x-${i}`]: "y" };
          const response = await postTo(`${server.url}?${i}`, `{"id":"${i}"}`, headers);
          await response.body?.cancel();
          assert.equal(response.status, 401);
        }
      };
      await Promise.all(Array.from({ length: 32 }, (_, index) => lane(index)));
    };
    await visit(0, 5000);
    const before = await residentMegabytes(server.pid);
    await visit(5000, 10_000);
    const growth = await residentMegabytes(server.pid) - before;
    assert.ok(growth < 60, `${growth} MB more`);
    await waitUntil(
      async () => await callServer(server.url, client, "time_test") !== 401,
      "the client is answered",
    );
  }, config);
});
