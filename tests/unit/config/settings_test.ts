import assert from "node:assert/strict";
import { parseIni } from "../../../lib/config/ini.ts";
import { OPTIONS } from "../../../lib/config/options.ts";
import { type Settings, settingsFrom } from "../../../lib/config/settings.ts";
import { CONFIG_INI, MODULES_INI, SIMPLE_TIME_JS } from "../../../lib/config/shipped.ts";
import { ConfigError } from "../../../lib/errors.ts";

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

Deno.test("settingsFrom() reads the original's file, with defaults for what it lacks", () => {
  assert.deepEqual(settingsOf(ORIGINAL), {
    listen: { host: "0.0.0.0", port: 8000 },
    ipAddressTtlSeconds: 300,
    requestTtlSeconds: 30,
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
    functions: { maxHeapMegabytes: 512, wall: "auto", user: undefined },
    admin: undefined,
    logFormat: "text",
  });
});

Deno.test("settingsFrom() gives the same for an empty file and for the shipped one", async () => {
  assert.deepEqual(settingsOf(""), settingsOf(CONFIG_INI));
  const { warnings } = settingsFrom(parseIni(CONFIG_INI), "config.ini");
  assert.deepEqual(warnings, []);
  const root = new URL("../../../", import.meta.url);
  assert.equal(CONFIG_INI, await Deno.readTextFile(new URL("config/config.ini", root)));
  assert.equal(MODULES_INI, await Deno.readTextFile(new URL("config/modules.ini", root)));
  assert.equal(SIMPLE_TIME_JS, await Deno.readTextFile(new URL("modules/simple_time.js", root)));
});

Deno.test("settingsFrom() reads where to listen", () => {
  const v6 = settingsOf("[Admin]\nListen=[::1]:9101").admin;
  assert.deepEqual(v6, { listen: { host: "::1", port: 9101 }, hosts: [] });
  const v4 = settingsOf("[Admin]\nListen=127.0.0.1:0").admin;
  assert.deepEqual(v4?.listen, { host: "127.0.0.1", port: 0 });
  const tls = { certFile: "a.pem", keyFile: "b.pem" };
  assert.deepEqual(settingsOf("[Server]\nCertFile=a.pem\nKeyFile=b.pem").listen.tls, tls);
  const socket = settingsOf("[Server]\nSocket=/run/msp.sock\nSocketMode=0600").listen.socket;
  assert.deepEqual(socket, { path: "/run/msp.sock", mode: 0o600 });
});

const WRONG = [
  {
    text: "[Server]\nCertFile=a.pem",
    message: /\[Server\] CertFile is there without KeyFile/,
  },
  {
    text: "[Server]\nKeyFile=a.pem",
    message: /\[Server\] KeyFile is there without CertFile/,
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
  { text: "[Server]\nKeypath=", message: /Keypath = "", expected a path/ },
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
  const text = "[Server]\nPrt=1\n[Sever]\nPort=2\n[server]\nPort=3";
  const { settings, warnings } = settingsFrom(parseIni(text), "config.ini");
  assert.equal(settings.listen.port, 8000);
  assert.deepEqual(warnings, [
    "config.ini line 2: unknown option [Server] prt",
    "config.ini line 4: unknown option [Sever] port",
    "config.ini line 6: unknown option [server] port",
  ]);
});

Deno.test("OPTIONS has no two options of one name in a section", () => {
  const names = Object.values(OPTIONS).map(({ section, name }) => `${section}/${name}`);
  assert.equal(new Set(names).size, names.length);
});
