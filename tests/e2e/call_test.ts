import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { PrivateKey, PublicKey } from "../../lib/crypto/keys.ts";
import { ClientBox } from "../../lib/crypto/nacl.ts";
import { msp, mspOk, RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const CALL_FAILS = [
  {
    why: "nobody listens",
    args: ["http://127.0.0.1:2/v1", "f"],
    error: /Cannot reach http:\/\/127\.0\.0\.1:2\/v1: connection refused/,
  },
  {
    why: "nobody listens, and the URL has a password and a token",
    args: ["http://anna:canary@127.0.0.1:2/v1?token=canary", "f"],
    error:
      /Cannot reach http:\/\/127\.0\.0\.1:2\/v1: connection refused \(executed: no\)\nmsp: hint: nothing listens/,
  },
  {
    why: "a port that belongs to another protocol",
    args: ["http://127.0.0.1:9/v1", "f"],
    // Deno 2.4.2 tries the port.
    error: RUNTIME.isAtLeast("2.5.0")
      ? /HTTP clients refuse to use it \(executed: no\)\nmsp: hint: .*port, such as 8000/
      : /connection refused \(executed: no\)\nmsp: hint: /,
  },
  {
    why: "no such host",
    args: ["http://host.invalid/v1", "f"],
    error: /Cannot reach http:\/\/host\.invalid\/v1: the host name is not known/,
  },
  {
    why: "no key",
    args: ["http://127.0.0.1:2/v1", "f", "--key", "no.key"],
    error: /Cannot read \/\S*no\.key: not found\nmsp: hint: .*--key FILE/,
  },
  {
    why: "no secret",
    args: ["http://127.0.0.1:2/v1", "f", "--secret", "no"],
    error: /Cannot read \/\S*no: not found\nmsp: hint: .*--secret FILE/,
  },
  {
    why: "no certificate",
    args: ["https://127.0.0.1:2/v1", "f", "--ca", "client.pub"],
    error: /Cannot use \/\S*client\.pub: it holds no CERTIFICATE in PEM/,
  },
  {
    why: "bad secret",
    args: ["http://127.0.0.1:2/v1", "f", "--secret", "client.pub"],
    error: /expected 128 hex digits/,
  },
  {
    why: "bad server key",
    args: ["http://127.0.0.1:2/v1", "f", "--server-key", "client.secret"],
    error: /Cannot read \/\S*client\.secret: the text is a client secret/,
  },
];

Deno.test("call says what is wrong, with exit code 1 and nothing on standard output", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  for (const { why, args, error } of CALL_FAILS) {
    const { code, out, err } = await msp(["call", ...args], { cwd: folder.path });
    assert.deepEqual([code, out], [1, ""], why);
    assert.match(err, error, why);
    assert.match(err, /^msp: error: [^\n]+\n(msp: hint: [^\n]+\n)?$/, why);
    assert.doesNotMatch(err, /canary/, why);
  }
});

/** What stands between a client and its server in a test: a program of ours that answers. */
async function withAnswers(
  folder: TempFolder,
  answer: (path: string, body: Record<string, string>) => Response,
  action: (call: (path: string) => ReturnType<typeof msp>) => Promise<void>,
): Promise<void> {
  await registerClient(folder);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => answer(new URL(request.url).pathname, await request.json()),
  );
  await action((path) =>
    msp(["call", `http://127.0.0.1:${server.addr.port}${path}`, "f"], { cwd: folder.path })
  );
}

const MINUTE_MS = 60_000;
const ANSWERS: { why: string; answer: () => Response; error: RegExp; hint: RegExp }[] = [
  {
    why: "sealed for somebody else",
    answer: () => Response.json({ value: "A".repeat(80) }),
    error: /the answer does not open under these keys/,
    hint: /server\.pub/,
  },
  {
    why: "a page",
    answer: () => new Response("<html>"),
    error: /the answer does not open/,
    hint: /server\.pub of this server, the URL/,
  },
  {
    why: "no such path",
    answer: () => new Response(null, { status: 404 }),
    error: /status 404, expected 200/,
    hint: /the endpoint of a Mini Share Point is …\/v1/,
  },
  {
    why: "another place",
    answer: () => Response.redirect("https://u:canary@example.org/v1?token=canary", 308),
    error: /it redirects to https:\/\/example\.org\/v1 \(status 308\)/,
    hint: /call that URL/,
  },
  {
    why: "a proxy without its server",
    answer: () => new Response("bad", { status: 502 }),
    error: /status 502, expected 200/,
    hint: /a proxy answers, but it cannot reach the server/,
  },
  {
    why: "a refusal",
    answer: () => new Response(null, { status: 401 }),
    error: /refused the call \(401\)/,
    hint: /check the three files and the function's name/,
  },
  {
    why: "a refusal by a clock that is behind",
    answer: () => refusedAt(Date.now() - 10 * MINUTE_MS),
    error: /refused the call \(401\)/,
    hint: /this machine's clock is (?:599|600|601) seconds ahead of the server's/,
  },
  {
    why: "a refusal by a clock that is ahead",
    answer: () => refusedAt(Date.now() + 10 * MINUTE_MS),
    error: /refused the call \(401\)/,
    hint: /this machine's clock is (?:599|600|601) seconds behind the server's/,
  },
];

function refusedAt(milliseconds: number): Response {
  return new Response(null, {
    status: 401,
    headers: { date: new Date(milliseconds).toUTCString() },
  });
}

Deno.test("call says what another answer means, with a hint that comes from the cause", async () => {
  await using folder = await TempFolder.make();
  assert.ok(ANSWERS.length > 0);
  const answer = (path: string): Response =>
    ANSWERS[Number(path.slice(1))]?.answer() ?? new Response(null, { status: 500 });
  await withAnswers(folder, answer, async (call) => {
    for (const [index, { why, error, hint }] of ANSWERS.entries()) {
      const { code, out, err } = await call(`/${index}`);
      assert.deepEqual([code, out], [1, ""], why);
      assert.match(err, new RegExp(`^msp: error: [^\n]*${error.source}`), why);
      assert.match(err, new RegExp(`\nmsp: hint: [^\n]*${hint.source}`), why);
      assert.doesNotMatch(err, /canary/, why);
    }
  });
});

Deno.test("call refuses an answer that is a value of its own request, and prints no secret", async () => {
  await using folder = await TempFolder.make();
  const answer = (path: string, body: Record<string, string>): Response =>
    Response.json({ value: body[path.slice(1)] });
  await withAnswers(folder, answer, async (call) => {
    const secret = await folder.read("client.secret");
    for (const name of ["id", "check", "ts", "entry"]) {
      const { code, out, err } = await call(`/${name}`);
      assert.deepEqual([code, out], [1, ""], name);
      assert.match(err, /the answer (?:is a part of the request|does not open)/);
      assert.ok(!err.includes(secret));
    }
  });
});

Deno.test("call prints an answer to the byte, with a byte order mark too", async () => {
  await using folder = await TempFolder.make();
  const client = await registerClient(folder);
  const box = new ClientBox(client.secretKey as PrivateKey, client.serverPublicKey as PublicKey);
  const text = "\ufeffmarked\r\n\0";
  const answer = (): Response =>
    Response.json({ value: Buffer.from(box.seal(Buffer.from(text))).toString("base64url") });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  const args = ["call", `http://127.0.0.1:${server.addr.port}/v1`, "f"];
  assert.equal(await mspOk(args, { cwd: folder.path }), `${text}\n`);
});

Deno.test("call warns when others can read the client's key or secret, and goes on", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  const call = () => msp(["call", server.url, "time_test"], { cwd: folder.path });
  for (const name of ["client.key", "client.secret"]) await Deno.chmod(folder.join(name), 0o600);
  assert.equal((await call()).err, "");
  await Deno.chmod(folder.join("client.key"), 0o644);
  const { code, out, err } = await call();
  assert.equal(code, 0);
  assert.match(out, /^It is currently/);
  assert.equal(
    err,
    `msp: note: others can read ${folder.join("client.key")}: chmod 600 ${
      folder.join("client.key")
    }\n`,
  );
});

const PROXIES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"];

Deno.test("health and calls of this machine go past the proxies of the environment", async () => {
  await using folder = await TempFolder.make();
  await registerClient(folder);
  await using server = await ServerProcess.start({ cwd: folder.path });
  for (const name of PROXIES) {
    const options = { cwd: folder.path, env: { [name]: "http://127.0.0.1:9" } };
    assert.match(await mspOk(["health"], options), / is healthy\n$/, name);
    assert.match(await mspOk(["call", server.url, "time_test"], options), /^It is currently/, name);
  }
});
