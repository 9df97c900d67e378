/**
 * The reverse proxies that are shipped, as the real programs: their time limits close what the platform
 * leaves open, and the server knows the client's address, whatever that claims.
 */
import assert from "node:assert/strict";
import { Authority } from "../authority.ts";
import { isInstalled, testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { freePort, msp, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);

interface Proxy {
  readonly name: string;
  /** Writes the shipped configuration, with names and numbers that work here. @returns the program. */
  readonly prepare: (
    folder: TempFolder,
    ports: { front: number; back: number },
  ) => Promise<string[]>;
}

/** The shipped file; fails when something that is to be replaced is not in it. */
async function shipped(name: string, replacements: Record<string, string>): Promise<string> {
  let text = await Deno.readTextFile(new URL(name, DEPLOY));
  for (const [from, to] of Object.entries(replacements)) {
    assert.ok(text.includes(from), `${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const PROXIES: readonly Proxy[] = [
  {
    name: "nginx",
    async prepare(folder, { front, back }): Promise<string[]> {
      const site = await shipped("nginx.conf", {
        "listen 443 ssl": `listen 127.0.0.1:${front} ssl`,
        "127.0.0.1:8000": `127.0.0.1:${back}`,
        "/etc/letsencrypt/live/msp.example.org/fullchain.pem": folder.join("tls.pem"),
        "/etc/letsencrypt/live/msp.example.org/privkey.pem": folder.join("tls.key"),
        "header_timeout 10s": "header_timeout 1s",
        "body_timeout 10s": "body_timeout 1s",
      });
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((each) => `${each}_temp_path ${folder.join("tmp")};`).join("\n");
      await folder.write(
        "nginx.conf",
        `pid ${folder.join("nginx.pid")};\nerror_log stderr;\nevents {}\n` +
          `http {\naccess_log off;\n${temporary}\n${site}}\n`,
      );
      return ["/usr/sbin/nginx", "-g", "daemon off;", "-p", folder.path, "-c", "nginx.conf"];
    },
  },
  {
    name: "caddy",
    async prepare(folder, { front, back }): Promise<string[]> {
      const tls = `tls ${folder.join("tls.pem")} ${folder.join("tls.key")}`;
      const text = await shipped("Caddyfile", {
        "\nmsp.example.org {": `\nhttps://127.0.0.1:${front} {\n\t${tls}`,
        "127.0.0.1:8000": `127.0.0.1:${back}`,
        "\n{\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n",
        "read_header 10s": "read_header 1s",
        "read_body 10s": "read_body 1s",
      });
      await folder.write("Caddyfile", text);
      return ["/usr/bin/caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"];
    },
  },
];

/** Opens a connection, sends a part of a request, and gives what comes until it is closed. */
async function untilClosed(port: number, caCert: string, text: string): Promise<string> {
  const options = { hostname: "127.0.0.1", port };
  using connection = text === ""
    ? await Deno.connect(options)
    : await Deno.connectTls({ ...options, caCerts: [caCert] });
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(4096);
  let answer = "";
  for (;;) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) return answer;
    answer += new TextDecoder().decode(buffer.subarray(0, length));
  }
}

for (const { name, prepare } of PROXIES) {
  testIf(
    isInstalled(name),
    `${name} is not installed`,
    `behind ${name} as shipped: calls work, addresses are right, slow senders are closed`,
    async () => {
      await using folder = await TempFolder.make();
      await registerClient(folder);
      await (await Authority.make(folder)).issue("tls", "proxy");
      await folder.write("config/config.ini", "[Proxy]\nForwardFor=1\nForwardProto=1\n");
      const env = { MSP_LOGLEVEL: "DEBUG" };
      await using server = await ServerProcess.start({ cwd: folder.path, env });
      const front = freePort();
      const [command = "", ...args] = await prepare(folder, { front, back: server.port });
      const home = { XDG_DATA_HOME: folder.join("data"), XDG_CONFIG_HOME: folder.join("conf") };
      const process = new Deno.Command(command, {
        args,
        cwd: folder.path,
        env: home,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const log = new Response(process.stderr).text();
      try {
        const url = `https://127.0.0.1:${front}/v1`;
        const call = ["call", url, "time_test", "--ca", "ca.pem"];
        await waitUntil(
          async () => (await msp(call, { cwd: folder.path })).out.startsWith("It is currently"),
          `a call through ${name}`,
        );
        await server.waitForLog(/Answered a request from 127\.0\.0\.1; [^\n]* https /);
        // From another address, which claims to be a third one.
        const curl = ["curl", "-s", "--cacert", "ca.pem", "--interface", "127.0.0.7", "-i"];
        const json = ["-H", "content-type: application/json"];
        const spoof = ["-H", "x-forwarded-for: 192.0.2.66", "-H", "forwarded: for=192.0.2.66"];
        const refused = await run([...curl, ...json, ...spoof, "-d", "{}", url], {
          cwd: folder.path,
        });
        assert.match(refused.out, /^HTTP\/[\d.]+ 401 /);
        assert.match(refused.out, /\r\n\r\n$/, "the body is empty");
        await server.waitForLog(/Refused a request from 127\.0\.0\.7: /);
        assert.doesNotMatch(server.err, /192\.0\.2\.66/);
        const bytes = ["-H", "content-type: application/octet-stream", "-d", "x"];
        const v2 = await run([...curl, ...bytes, url.replace("/v1", "/v2")], { cwd: folder.path });
        assert.match(v2.out, /^HTTP\/[\d.]+ 401 /, "protocol v2");
        const elsewhere = await run([...curl, url.replace("/v1", "/other")], { cwd: folder.path });
        assert.match(elsewhere.out, /^HTTP\/[\d.]+ 404 /);
        const large = await run([...curl, ...json, "-d", "x".repeat(70_000), url], {
          cwd: folder.path,
        });
        // A refusal, or nothing when the connection ends before it is read.
        assert.match(large.out, /^$|HTTP\/[\d.]+ (?:413|401|502) /);
        // What the platform would leave open for ever.
        const ca = await folder.read("ca.pem");
        const refusals = server.err.match(/Refused/g)?.length;
        const head = "POST /v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
        const [handshake, dribbledHead, dribbledBody] = await Promise.all([
          untilClosed(front, ca, ""),
          untilClosed(front, ca, head),
          untilClosed(front, ca, `${head}Content-Length: 100\r\n\r\n{`),
        ]);
        assert.equal(handshake, "");
        // Caddy 2.6 calls a body that it gave up on 200, without a body of its own.
        for (const answer of [dribbledHead, dribbledBody]) assert.doesNotMatch(answer, /value/);
        if (name === "nginx") {
          assert.equal(server.err.match(/Refused/g)?.length, refusals, "the server saw a part");
        }
      } finally {
        process.kill("SIGTERM");
        await process.status;
        const text = await log;
        assert.doesNotMatch(text, /\[emerg\]|"level":"error"[^\n]*adapt/, text);
      }
    },
  );
}
