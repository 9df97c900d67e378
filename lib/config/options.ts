/**
 * @module
 * The table of every option of config.ini: what it is called, what it takes, its default, what it means.
 * docs/configuration.md is written from it (`deno task docs`).
 */
import { isIP } from "node:net";
import { type Kind, oneOf, PATH, wholeNumber } from "./kinds.ts";

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

const OPTIONAL_PATH: Kind<string> = { ...PATH, expected: "none, or a path" };

/** Memory of a function host. */
export const MAX_HEAP: Kind<number> = wholeNumber(" of megabytes", 16, 1_000_000);
const VALUES_COUNT = wholeNumber(" of values", 0, 100);
const REMEMBERED = wholeNumber(" of requests", 1000, 16_000_000);

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
  host: server("Host", "0.0.0.0", HOST, "Address to listen on; `--host` beats it."),
  port: server(
    "Port",
    8000,
    wholeNumber("", 0, 65535),
    "Port to listen on, 0 takes a free one; `--port` beats it.",
  ),
  socket: server(
    "Socket",
    "none",
    OPTIONAL_PATH,
    "Unix socket to listen on in place of Host and Port, for a reverse proxy on the same machine. One " +
      "that a server left behind is replaced. `--host` and `--port` beat it.",
  ),
  socketMode: server(
    "SocketMode",
    "660",
    MODE,
    "Mode of the Unix socket: who may write to it may connect.",
  ),
  certFile: server(
    "CertFile",
    "none",
    OPTIONAL_PATH,
    "Certificate chain (PEM) for TLS, together with KeyFile. Taken up anew within a second when either " +
      "changes, without a refused connection; a pair that does not fit leaves the old one in use.",
  ),
  keyFile: server(
    "KeyFile",
    "none",
    OPTIONAL_PATH,
    "Private key (PEM) of the certificate.",
  ),
  serverFolder: server("Keypath", "sec", PATH, "Folder of `server.key` and `server.pub`."),
  ipAddressTtl: server(
    "IPAddressTTL",
    300,
    wholeNumber(" of seconds", 0, 31_536_000),
    "How long the address of an authenticated request is remembered; one from another address writes a " +
      "log line.",
  ),
  clientsFolder: clients("Keypath", "sec", PATH, "Folder of the `client_*.pub` files."),
  register: clients("Register", "sec/clients.dev", PATH, "File of the secrets, one a line."),
  requestTtl: clients(
    "RequestTTL",
    30,
    wholeNumber(" of seconds", 1, 86400),
    "How far the time in a request may be from the server's.",
  ),
  searchPercent: limits(
    "SearchPercent",
    25,
    wholeNumber(" of percent", 1, 100),
    "Share of one core for finding senders that were not heard from lately, and strangers. Beyond it, a " +
      "request from an address that was not accepted within the last hour is refused; others wait.",
  ),
  failuresPerMinute: limits(
    "FailuresPerMinute",
    20,
    wholeNumber(" of requests", 1, 1_000_000),
    "Requests of strangers from one address (IPv6: one /64 network) that are looked into. Beyond that they " +
      "are refused at once, those of known clients are not.",
  ),
  bodySize: limits(
    "BodySize",
    16_384,
    wholeNumber(" of bytes", 1024, 1_048_576),
    "Body of a request at most; a valid one needs less than 1,024. A larger one is refused unread.",
  ),
  bodyTimeout: limits(
    "BodyTimeout",
    10,
    wholeNumber(" of seconds", 1, 300),
    "Time from the end of a request's head to the end of its body. Then it is refused.",
  ),
  requests: limits(
    "Requests",
    4096,
    wholeNumber(" of requests", 16, 100_000),
    "Requests in flight at once, all addresses together. Beyond that, the one whose body has been coming " +
      "for longest is refused in favour of the new one; when every body is there, the new one is.",
  ),
  requestsPerAddress: limits(
    "RequestsPerAddress",
    1024,
    wholeNumber(" of requests", 1, 100_000),
    "The same for one address (IPv6: one /64 network). Beyond that, new ones are refused at once.",
  ),
  addresses: limits(
    "Addresses",
    10_000,
    wholeNumber(" of addresses", 100, 1_000_000),
    "Addresses remembered in each table (where clients came from, strangers' failures), about 0.2 KB each. " +
      "Beyond that, the one unused for longest is forgotten: its client's next request takes a search, a " +
      "stranger's count begins anew.",
  ),
  rememberedRequests: limits(
    "RememberedRequests",
    524_288,
    REMEMBERED,
    "Accepted requests within twice the RequestTTL that cannot be replayed, 63 bytes of memory each. Beyond " +
      "that, the oldest are forgotten before their time.",
  ),
  rememberedEntries: limits(
    "RememberedEntries",
    1_000_000,
    REMEMBERED,
    "Accepted requests whose function name cannot be spliced into another request, whatever their age, " +
      "16 bytes of memory each. Beyond that, the oldest are forgotten. `replay.journal` keeps as many on disk.",
  ),
  maxHeap: functions(
    "MaxHeap",
    512,
    MAX_HEAP,
    "What a process of functions may use beyond what it starts with. Beyond that it is replaced.",
  ),
  functionsUser: functions(
    "User",
    "none",
    USER,
    "Whom the processes of functions run as, where the server runs as root.",
  ),
  forwardedFor: proxy(
    "ForwardFor",
    0,
    VALUES_COUNT,
    "Values of `X-Forwarded-For` that trusted proxies set, counted from the right; 0 ignores the header, as " +
      "do fewer values than that.",
  ),
  forwardedHost: proxy("ForwardHost", 0, VALUES_COUNT, "The same for `X-Forwarded-Host`."),
  forwardedPort: proxy("ForwardPort", 0, VALUES_COUNT, "The same for `X-Forwarded-Port`."),
  forwardedPrefix: proxy("ForwardPrefix", 0, VALUES_COUNT, "The same for `X-Forwarded-Prefix`."),
  forwardedProto: proxy("ForwardProto", 0, VALUES_COUNT, "The same for `X-Forwarded-Proto`."),
  adminListen: admin(
    "Listen",
    "none",
    LISTEN,
    "Address of `/healthz` and `/metrics` (Prometheus), never to be reached from outside: it asks for no " +
      "key. Nothing of it is on the public port.",
  ),
  logFormat: log(
    "Format",
    "text",
    oneOf("text", "json"),
    "`json` writes one object a line, with `@timestamp`, `level`, `logger`, `message` and `properties`.",
  ),
} as const;
