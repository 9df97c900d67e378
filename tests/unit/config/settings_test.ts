import assert from "node:assert/strict";
import { resolve } from "node:path";
import { configText } from "../../../lib/config/config_text.ts";
import { parseIni } from "../../../lib/config/ini.ts";
import { allOptions } from "../../../lib/config/options.ts";
import { inspectSettings, type Settings, settingsFrom } from "../../../lib/config/settings.ts";
import { MODULES_INI, SIMPLE_TIME_JS } from "../../../lib/config/shipped.ts";
import { ConfigError, UsageError } from "../../../lib/errors.ts";
import { TempFolder } from "../../program.ts";

const ORIGINAL = `[Server]
Keypath=/sec
IPAddressTTL=300

[Clients]
Keypath=/sec
Register=/sec/clients.dev
RequestTTL=30

[Proxy]
ForwardFor=1
ForwardHost=0
ForwardPort=0
ForwardPrefix=0
ForwardProto=2
`;

function settingsOf(text: string): Settings {
  return settingsFrom(parseIni(text), "config.ini").settings;
}

Deno.test("settingsFrom() reads the Python program's file, with defaults for missing options", () => {
  assert.deepEqual(settingsOf(ORIGINAL), {
    listen: { host: "0.0.0.0", port: 8000 },
    ipAddressTtlSeconds: 300,
    publicUrl: undefined,
    requestTtlSeconds: 30,
    clientFunctions: undefined,
    store: { serverFolder: "/sec", clientsFolder: "/sec", register: "/sec/clients.dev" },
    stateFolder: "/sec/state",
    proxy: {
      forwardedFor: 1,
      forwardedHost: 0,
      forwardedPort: 0,
      forwardedPrefix: 0,
      forwardedProto: 2,
    },
    limits: {
      searchPercent: 25,
      failuresPerMinute: 20,
      bodyBytes: 16_384,
      bodyTimeoutSeconds: 10,
      requests: 2048,
      requestsPerAddress: 1024,
      addresses: 10_000,
      rememberedRequests: 1_300_000,
      rememberedEntries: 1_000_000,
    },
    v2: {
      isEnabled: true,
      ticketLifetimeSeconds: 3600,
      ticketsPerClient: 16,
      maxBatch: 16,
      allowedOrigins: [],
    },
    functions: { maxHeapMegabytes: 512, wall: "auto", user: undefined },
    admin: undefined,
    cluster: undefined,
    logCalls: false,
    logFormat: "text",
  });
});

Deno.test("settingsFrom() gives the same for an empty file and for the shipped one", async () => {
  assert.deepEqual(settingsOf(""), settingsOf(configText()));
  const { warnings } = settingsFrom(parseIni(configText()), "config.ini");
  assert.deepEqual(warnings, []);
  const root = new URL("../../../", import.meta.url);
  assert.equal(configText(), await Deno.readTextFile(new URL("config/config.ini", root)));
  assert.equal(MODULES_INI, await Deno.readTextFile(new URL("config/modules.ini", root)));
  assert.equal(SIMPLE_TIME_JS, await Deno.readTextFile(new URL("modules/simple_time.js", root)));
});

Deno.test("configText() has every option once, with its default and a comment of at most 80 characters", () => {
  const text = configText();
  for (const { section, name, fallback } of allOptions()) {
    const [, own = ""] = new RegExp(`^\\[${section}\\]\n([^[]*)`, "m").exec(text) ?? [];
    const line = new RegExp(`^# .{1,80}\n${name}=${fallback.replace("*", "\\*")}$`, "gm");
    assert.equal([...own.matchAll(line)].length, 1, `[${section}] ${name}`);
  }
});

Deno.test("settingsFrom() makes paths absolute", () => {
  const { store } = settingsOf("[Server]\nKeypath=a/../b\n[Clients]\nRegister=/srv/./list");
  assert.equal(store.serverFolder, resolve("b"));
  assert.equal(store.clientsFolder, resolve("sec"));
  assert.equal(store.register, "/srv/list");
});

const OVERRIDES = [
  { why: "the file counts", overrides: {}, user: { uid: 1, gid: 1 } },
  {
    why: "the environment overrides the file",
    overrides: { env: { MSP_FUNCTIONS_USER: "2:2" } },
    user: { uid: 2, gid: 2 },
  },
  {
    why: "the command line overrides the environment",
    overrides: { flags: { "functions-user": "3:3" }, env: { MSP_FUNCTIONS_USER: "2:2" } },
    user: { uid: 3, gid: 3 },
  },
  {
    why: "also with none",
    overrides: { flags: { "functions-user": "none" } },
    user: undefined,
  },
];

Deno.test("settingsFrom() lets command line and environment override the file", () => {
  const file = parseIni("[Server]\nSocket=s\n[Functions]\nUser=1:1");
  assert.ok(OVERRIDES.length > 0);
  for (const { why, overrides, user } of OVERRIDES) {
    const { settings } = settingsFrom(file, "config.ini", overrides);
    assert.deepEqual(settings.functions.user, user, why);
    assert.equal(settings.listen.socket?.path, resolve("s"), why);
  }
  const { listen } = settingsFrom(file, "config.ini", { flags: { port: "81" } }).settings;
  assert.deepEqual(listen, { host: "0.0.0.0", port: 81 }, "--port overrides the socket");
  const wrong = parseIni("[Server]\nPort=x");
  assert.throws(() => settingsFrom(wrong, "config.ini", { flags: { port: "81" } }), /Port = "x"/);
  assert.throws(
    () => settingsFrom(file, "config.ini", { flags: { port: "x" } }),
    (error) => error instanceof UsageError && /--port "x", expected a whole/.test(error.message),
  );
  assert.throws(
    () => settingsFrom(file, "config.ini", { env: { MSP_FUNCTIONS_USER: "root" } }),
    (error) =>
      error instanceof ConfigError && /MSP_FUNCTIONS_USER = "root", expec/.test(error.message),
  );
});

Deno.test("inspectSettings() lists every fault, with the default in place of each", async () => {
  await using folder = await TempFolder.make();
  await folder.write("x.ini", "[Server]\nPort=x\nHost: y\n[Clients]\nRequestTTL=0\nKeypath=k\n");
  const { settings, faults } = await inspectSettings(folder.join("x.ini"));
  assert.deepEqual(
    faults.map(({ message }) => /line \d/.exec(message)?.[0]).toSorted(),
    ["line 2", "line 3", "line 5"],
  );
  assert.equal(settings.listen.port, 8000);
  assert.equal(settings.store.clientsFolder, resolve("k"));
});

Deno.test("settingsFrom() reads where to listen", () => {
  const v6 = settingsOf("[Admin]\nListen=[::1]:9101").admin;
  assert.deepEqual(v6, { listen: { host: "::1", port: 9101 }, hosts: [] });
  const v4 = settingsOf("[Admin]\nListen=127.0.0.1:0").admin;
  assert.deepEqual(v4?.listen, { host: "127.0.0.1", port: 0 });
  const tls = { certFile: resolve("a.pem"), keyFile: resolve("b.pem") };
  assert.deepEqual(settingsOf("[Server]\nCertFile=a.pem\nKeyFile=b.pem").listen.tls, tls);
  const socket = settingsOf("[Server]\nSocket=/run/msp.sock\nSocketMode=0600").listen.socket;
  assert.deepEqual(socket, { path: "/run/msp.sock", mode: 0o600 });
});

const WRONG = [
  {
    text: "[Server]\nCertFile=a.pem",
    message: /\[Server\] has CertFile without KeyFile/,
  },
  {
    text: "[Server]\nKeyFile=a.pem",
    message: /\[Server\] has KeyFile without CertFile/,
  },
  {
    text: "[Server]\nSocket=s\nCertFile=a.pem\nKeyFile=b.pem",
    message: /\[Server\] has both Socket and CertFile, expected one of them/,
  },
  {
    text: "[Server]\nSocketMode=rw",
    message: /SocketMode = "rw", expected a mode of three octal digits, such as 660/,
  },
  { text: "[Admin]\nListen=9101", message: /Listen = "9101", expected none, or an IP address/ },
  { text: "[Admin]\nListen=127.0.0.1:99999", message: /expected none, or an IP address/ },
  { text: "[Log]\nFormat=xml", message: /Format = "xml", expected text or json/ },
  {
    text: "[Functions]\nUser=nobody",
    message: /\[Functions\] User = "nobody", expected none, or the numbers of a user and a group/,
  },
  {
    text: "[Clients]\nRequestTTL=abc",
    message: /\[Clients\] RequestTTL = "abc", expected a whole number of seconds from 1 to 86400/,
  },
  { text: "[Clients]\nRequestTTL=0", message: /from 1 to 86400/ },
  { text: "[Clients]\nRequestTTL=86401", message: /from 1 to 86400/ },
  { text: "[Clients]\nRequestTTL=30.5", message: /whole number/ },
  { text: "[Clients]\nRequestTTL=-1", message: /whole number/ },
  { text: "[Clients]\nRequestTTL=0x10", message: /whole number/ },
  { text: "[Clients]\nRequestTTL=", message: /RequestTTL = "", expected/ },
  { text: "[Server]\nIPAddressTTL=1e3", message: /IPAddressTTL/ },
  { text: "[Server]\nPort=65536", message: /from 0 to 65535/ },
  { text: "[Server]\nPort=http", message: /from 0 to 65535/ },
  { text: "[Server]\nHost=not a host", message: /an IP address or a host name/ },
  { text: "[Server]\nHost=", message: /an IP address or a host name/ },
  { text: "[Server]\nKeypath=", message: /Keypath = "", expected a path$/ },
  {
    text: "[Server]\nKeypath=~/sec",
    message: /"~\/sec", expected a path; nothing replaces ~ here/,
  },
  { text: "[Server]\nKeypath=~anna/sec", message: /nothing replaces ~anna here/ },
  { text: "[Clients]\nRegister=$HOME/x", message: /nothing replaces \$HOME here/ },
  { text: "[Server]\nSocket=/run/${NAME}.s", message: /nothing replaces \$\{NAME\} here/ },
  { text: "[Functions]\nUser=1:4294967295", message: /User = "1:4294967295", expected none, or/ },
  {
    text: "[Proxy]\nForwardFor=yes",
    message: /ForwardFor = "yes", expected a whole number of values/,
  },
  { text: "[Server]\nPort: 80", message: /line 2 .*colon/ },
];

Deno.test("settingsFrom() names file, section, option, value and what is expected", () => {
  assert.ok(WRONG.length > 0);
  for (const { text, message } of WRONG) {
    assert.throws(() => settingsOf(text), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^Cannot read config\.ini: /);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("settingsFrom() warns of unknown options and goes on", () => {
  const text = "[Server]\nPrt=1\n[Sever]\nPort=2\n[server]\nPort=3\nRequestTTL=9\nfoo=1";
  const { settings, warnings } = settingsFrom(parseIni(text), "config.ini");
  assert.equal(settings.listen.port, 3, "names of sections are case-insensitive");
  assert.deepEqual(warnings, [
    "config.ini: line 2: unknown option [Server] prt; did you mean [Server] Port?",
    "config.ini: line 4: unknown option [Sever] port; did you mean [Server] Port?",
    "config.ini: line 7: unknown option [server] requestttl; did you mean [Clients] RequestTTL?",
    "config.ini: line 8: unknown option [server] foo",
  ]);
});

Deno.test("OPTIONS has no two options of one name in a section, and defaults of their kinds", () => {
  const names = allOptions().map(({ section, name }) => `${section}/${name}`.toLowerCase());
  assert.equal(new Set(names).size, names.length);
  for (const { name, kind, fallback } of allOptions()) {
    assert.ok("value" in kind.parse(fallback), name);
  }
});

Deno.test("settingsFrom() reads where Redis is, and shows no password of a URL", () => {
  const cases = [
    { url: "redis://cache", host: "cache", port: 6379, isTls: false, database: 0 },
    {
      url: "rediss://cache.internal:7000/3",
      host: "cache.internal",
      port: 7000,
      isTls: true,
      database: 3,
    },
    { url: "redis://[::1]:1", host: "::1", port: 1, isTls: false, database: 0 },
    { url: "REDIS://10.0.0.1/", host: "10.0.0.1", port: 6379, isTls: false, database: 0 },
    { url: "redis://msp@c", host: "c", port: 6379, isTls: false, database: 0, username: "msp" },
  ];
  for (const { url, ...expected } of cases) {
    assert.deepEqual(settingsOf(`[Cluster]\nRedis=${url}\n`).cluster?.redis, expected, url);
  }
  const refused = [
    "",
    "cache",
    "http://c",
    "redis://",
    "redis://c:0",
    "redis://c:65536",
    "redis://c/x",
  ];
  for (const url of [...refused, "redis://u:hidden@c", "redis://:hidden@c", "redis://hidden%@c"]) {
    assert.throws(() => settingsOf(`[Cluster]\nRedis=${url}\n`), (error) => {
      assert.ok(error instanceof ConfigError, url);
      assert.match(error.message, /\[Cluster\] Redis = "[^"]*", expected none, or a URL such as/);
      assert.doesNotMatch(error.message, /hidden/);
      return true;
    });
  }
});
