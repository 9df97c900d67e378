/**
 * @module
 * The table of every option of config.ini: its name, values, default and meaning.
 * docs/configuration.md is written from it (`deno task docs`).
 */
import { isIP } from "node:net";
import { type Kind, listOf, oneOf, PATH, wholeNumber } from "./kinds.ts";

/** One option of config.ini. */
export interface OptionSpec<T> {
  readonly section: string;
  readonly name: string;
  readonly fallback: T;
  readonly kind: Kind<T>;
  /** What it does, and for a limit what happens at it. */
  readonly meaning: string;
}

const HOST: Kind<string> = {
  expected: "an IP address or a host name",
  parse: (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)
      ? text
      : undefined,
};

const USER: Kind<string> = {
  expected: "none, or the numbers of a user and a group, UID:GID",
  parse: (text) => text === "none" || /^\d{1,9}:\d{1,9}$/.test(text) ? text : undefined,
};

const MODE: Kind<string> = {
  expected: "a mode of three octal digits, such as 660",
  parse: (text) => /^0?[0-7]{3}$/.test(text) ? text.slice(-3) : undefined,
};

/** Where the admin address listens. */
const LISTEN: Kind<string> = {
  expected: "none, or an IP address and a port, such as 127.0.0.1:9101",
  parse(text): string | undefined {
    const [, v6, v4, port = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const isAddress = isIP(v6 ?? v4 ?? "") !== 0 && Number(port) <= 65535;
    return text === "none" || isAddress ? text : undefined;
  },
};

const HOSTS = listOf(
  "host names, separated by commas",
  (text) => HOST.parse(text)?.toLowerCase(),
);

const OPTIONAL_PATH: Kind<string> = { ...PATH, expected: "none, or a path" };

/** What holds function hosts to their grants. */
export type WallSetting = "auto" | "landlock" | "user" | "none";

/** Memory of a function host. */
export const MAX_HEAP: Kind<number> = wholeNumber("megabytes", 16, 1_000_000);
const VALUES_COUNT = wholeNumber("values", 0, 100);
const REMEMBERED = wholeNumber("requests", 1000, 16_000_000);

/** Makes the specifications of a section. */
function inSection(
  section: string,
): <T>(name: string, fallback: T, kind: Kind<T>, meaning: string) => OptionSpec<T> {
  return (name, fallback, kind, meaning) => ({ section, name, fallback, kind, meaning });
}

const server = inSection("Server");
const clients = inSection("Clients");
const limits = inSection("Limits");
const functions = inSection("Functions");
const proxy = inSection("Proxy");
const admin = inSection("Admin");
const log = inSection("Log");

/** Every option of config.ini. */
export const OPTIONS = {
  host: server("Host", "0.0.0.0", HOST, "Address to listen on. `--host` overrides it."),
  port: server(
    "Port",
    8000,
    wholeNumber(undefined, 0, 65535),
    "Port to listen on; 0 selects a free port. `--port` overrides it.",
  ),
  socket: server(
    "Socket",
    "none",
    OPTIONAL_PATH,
    "Unix socket to listen on instead of Host and Port, for a reverse proxy on the same machine. A " +
      "socket file that an earlier server left is replaced. `--host` and `--port` override it.",
  ),
  socketMode: server(
    "SocketMode",
    "660",
    MODE,
    "Mode of the Unix socket. Every user who may write to it may connect.",
  ),
  certFile: server(
    "CertFile",
    "none",
    OPTIONAL_PATH,
    "Certificate chain (PEM) for TLS; needs KeyFile. The server reloads both within a second of a " +
      "change and refuses no connection meanwhile. If they do not match, it keeps the previous pair.",
  ),
  keyFile: server(
    "KeyFile",
    "none",
    OPTIONAL_PATH,
    "Private key (PEM) of the certificate.",
  ),
  serverFolder: server("Keypath", "sec", PATH, "Folder of `server.key` and `server.pub`."),
  statePath: server(
    "Statepath",
    "auto",
    { ...PATH, expected: "auto, or a path" },
    "Folder for what must outlive a restart: the journal of accepted requests and the lock of the " +
      "running server. `auto` is the folder `state` inside `[Server] Keypath`. Set another folder where " +
      "the server cannot write to Keypath. Servers with the same clients must not use different folders.",
  ),
  ipAddressTtl: server(
    "IPAddressTTL",
    300,
    wholeNumber("seconds", 0, 31_536_000),
    "Time for which the address of an authenticated request is remembered. A request from any other " +
      "address writes a log line.",
  ),
  clientsFolder: clients("Keypath", "sec", PATH, "Folder of the `client_*.pub` files."),
  register: clients("Register", "sec/clients.dev", PATH, "File of the client secrets, one a line."),
  requestTtl: clients(
    "RequestTTL",
    30,
    wholeNumber("seconds", 1, 86400),
    "Largest difference between the time in a request and the server's clock, in either direction. " +
      "Beyond it, the request is refused.",
  ),
  searchPercent: limits(
    "SearchPercent",
    25,
    wholeNumber("percent", 1, 100),
    "CPU share, in percent of one core, for searching all keys. Beyond it, a request from an address " +
      "without an accepted request in the last hour is refused; others wait.",
  ),
  failuresPerMinute: limits(
    "FailuresPerMinute",
    20,
    wholeNumber("requests", 1, 1_000_000),
    "Requests of unknown senders a minute from one address (IPv6: one /64 network) that start a search. " +
      "Beyond it, they are refused without one; recently used keys are still found.",
  ),
  bodySize: limits(
    "BodySize",
    16_384,
    wholeNumber("bytes", 1024, 1_048_576),
    "Size of a request body. A valid one needs less than 1,024 bytes. A larger one is refused unread.",
  ),
  bodyTimeout: limits(
    "BodyTimeout",
    10,
    wholeNumber("seconds", 1, 300),
    "Time from the end of the request head to the end of the body. Then the request is refused.",
  ),
  requests: limits(
    "Requests",
    2048,
    wholeNumber("requests", 16, 100_000),
    "Requests in flight, all addresses together. At the limit, the request whose body has been arriving " +
      "for longest is refused. If every body is complete, the new request is refused.",
  ),
  requestsPerAddress: limits(
    "RequestsPerAddress",
    1024,
    wholeNumber("requests", 1, 100_000),
    "Requests in flight from one address (IPv6: one /64 network). At the limit, new ones are refused at " +
      "once.",
  ),
  addresses: limits(
    "Addresses",
    10_000,
    wholeNumber("addresses", 100, 1_000_000),
    "Addresses in each table (last addresses of clients, failures of unknown senders), about 0.2 KB " +
      "each. At the limit, the least recently used address is dropped: its next request needs a search, " +
      "and its failures count from zero.",
  ),
  rememberedRequests: limits(
    "RememberedRequests",
    1_300_000,
    REMEMBERED,
    "Accepted requests that cannot be replayed, remembered for up to twice RequestTTL, 60 bytes of " +
      "memory each. At the limit, requests are refused. One client can use at most 8/9 of it.",
  ),
  rememberedEntries: limits(
    "RememberedEntries",
    1_000_000,
    REMEMBERED,
    "Accepted requests whose `entry` value cannot be used in another request, whatever its age, 16 bytes " +
      "of memory each. At the limit, the oldest are forgotten. `replay.journal` keeps the same number on " +
      "disk.",
  ),
  maxHeap: functions(
    "MaxHeap",
    512,
    MAX_HEAP,
    "Memory that a function process may use beyond its size at the start. Beyond it, the process is " +
      "replaced.",
  ),
  functionsWall: functions<WallSetting>(
    "Wall",
    "auto",
    oneOf("auto", "landlock", "user", "none"),
    "What holds function processes to their grants: the kernel (`landlock`), the user of `User`, or " +
      "Deno alone (`none`). `auto` takes the first that works; with the last, it refuses functions " +
      "with `Write` or `Env`.",
  ),
  functionsUser: functions(
    "User",
    "none",
    USER,
    "User and group of the function processes. Only a server that runs as root can change them.",
  ),
  forwardedFor: proxy(
    "ForwardFor",
    0,
    VALUES_COUNT,
    "Number of `X-Forwarded-For` values that trusted proxies add, counted from the right. 0 ignores the " +
      "header; a header with fewer values is ignored too.",
  ),
  forwardedHost: proxy("ForwardHost", 0, VALUES_COUNT, "The same for `X-Forwarded-Host`."),
  forwardedPort: proxy("ForwardPort", 0, VALUES_COUNT, "The same for `X-Forwarded-Port`."),
  forwardedPrefix: proxy("ForwardPrefix", 0, VALUES_COUNT, "The same for `X-Forwarded-Prefix`."),
  forwardedProto: proxy("ForwardProto", 0, VALUES_COUNT, "The same for `X-Forwarded-Proto`."),
  adminListen: admin(
    "Listen",
    "none",
    LISTEN,
    "Address of `/healthz` and `/metrics` (Prometheus). They ask for no key, so never expose it. The " +
      "public port has neither.",
  ),
  adminHosts: admin<readonly string[]>(
    "Hosts",
    [],
    HOSTS,
    "Names in a Host header that the admin address answers, separated by commas, besides `localhost` and " +
      "IP addresses: the name that Prometheus uses.",
  ),
  logFormat: log(
    "Format",
    "text",
    oneOf("text", "json"),
    "`json` writes one object a line, with `@timestamp`, `level`, `logger`, `message` and `properties`.",
  ),
} as const;
