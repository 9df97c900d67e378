/**
 * @module
 * The table of every option of config.ini. A new option is one entry here: the settings, the shipped
 * config.ini (`deno task embed`) and docs/configuration.md (`deno task docs`) are made from the table.
 */
import {
  choice,
  FUNCTION_PATTERNS,
  HOST,
  HOST_NAME,
  KEY_PREFIX,
  type Kind,
  LISTEN,
  MODE,
  optional,
  optionalList,
  ORIGIN,
  PATH,
  PUBLIC_URL,
  REDIS_URL,
  USER,
  wholeNumber,
} from "./kinds.ts";

/** One option of config.ini. */
export interface OptionSpec<T> {
  readonly section: string;
  readonly name: string;
  /** As it would stand in the file. */
  readonly fallback: string;
  readonly kind: Kind<T>;
  /**
   * What it does, and for a limit what happens there. The first sentence stands in the shipped config.ini
   * too.
   */
  readonly meaning: string;
  /** Name of the command-line option that overrides the file, without `--`. */
  readonly flag?: string;
  /** Environment variable that overrides the file. */
  readonly variable?: string;
}

/** Specifications by the names of the settings, in groups. */
export interface OptionTree {
  readonly [name: string]: OptionSpec<unknown> | OptionTree;
}

/** The settings that a table gives. */
export type ValuesOf<T> = {
  readonly [K in keyof T]: T[K] extends OptionSpec<infer V> ? V : ValuesOf<T[K]>;
};

/** Makes a specification of a section. */
type MakeOption = <T>(
  name: string,
  kind: Kind<T>,
  fallback: string,
  meaning: string,
  more?: Pick<OptionSpec<T>, "flag" | "variable">,
) => OptionSpec<T>;

function inSection(section: string): MakeOption {
  return (name, kind, fallback, meaning, more = {}) => ({
    section,
    name,
    kind,
    fallback,
    meaning,
    ...more,
  });
}

const server = inSection("Server");
const clients = inSection("Clients");
const limits = inSection("Limits");
const v2 = inSection("V2");
const functions = inSection("Functions");
const proxy = inSection("Proxy");
const admin = inSection("Admin");
const cluster = inSection("Cluster");
const log = inSection("Log");

/** What holds function hosts to their grants. */
export type WallSetting = "auto" | "landlock" | "user" | "none";

/** What happens to requests while Redis cannot be asked. */
export type OnRedisFailure = "refuse" | "local";

/** Memory of a function process. */
export const MAX_HEAP: Kind<number> = wholeNumber("megabytes", 16, 1_000_000);
const HEADER_VALUES = wholeNumber("values", 0, 100);
const REMEMBERED = wholeNumber("requests", 1000, 16_000_000);

/** Every option of config.ini. */
export const OPTIONS = {
  listen: {
    host: server("Host", HOST, "0.0.0.0", "Address to listen on. `--host` overrides it.", {
      flag: "host",
    }),
    port: server(
      "Port",
      wholeNumber(undefined, 0, 65535),
      "8000",
      "Port to listen on; 0 selects a free port. `--port` overrides it.",
      { flag: "port" },
    ),
    socket: server(
      "Socket",
      optional(PATH),
      "none",
      "Unix socket to listen on instead of Host and Port, for a reverse proxy on the same machine. A " +
        "socket file that an earlier server left is replaced. `--host` and `--port` override it.",
    ),
    socketMode: server(
      "SocketMode",
      MODE,
      "660",
      "Mode of the Unix socket. Every user who may write to it may connect.",
    ),
    certFile: server(
      "CertFile",
      optional(PATH),
      "none",
      "Certificate chain (PEM) for TLS; needs KeyFile. The server reloads both within a second of a " +
        "change and refuses no connection meanwhile. If they do not match, it keeps the previous pair.",
    ),
    keyFile: server(
      "KeyFile",
      optional(PATH),
      "none",
      "Private key (PEM) of the certificate.",
    ),
  },
  publicUrl: server(
    "PublicUrl",
    optional(PUBLIC_URL),
    "none",
    "Address under which clients reach the server, such as `https://home.example`, for the links of " +
      "`msp invite`. Behind a reverse proxy, it is the address of the proxy.",
  ),
  store: {
    serverFolder: server(
      "Keypath",
      PATH,
      "sec",
      "Folder of the server's key files, `server.key` and `server2.key`.",
    ),
    clientsFolder: clients("Keypath", PATH, "sec", "Folder of the `client_*.pub` files."),
    register: clients(
      "Register",
      PATH,
      "sec/clients.dev",
      "File of the client secrets, one a line.",
    ),
  },
  clientFunctions: clients(
    "Functions",
    FUNCTION_PATTERNS,
    "*",
    "Functions that a client may call if its file has no `functions` rule: names separated by commas, `*` " +
      "for any characters, `!` in front denies.",
  ),
  stateFolder: server(
    "Statepath",
    optional(PATH, "auto"),
    "auto",
    "Folder for what must outlive a restart: the journal of accepted requests and the lock of the " +
      "running server. `auto` is the folder `state` inside `[Server] Keypath`. Set another folder where " +
      "the server cannot write to Keypath. Without `[Cluster]`, servers with the same clients must not use " +
      "different folders; with it, each replica needs its own. MSP_STATEPATH overrides it.",
    { variable: "MSP_STATEPATH" },
  ),
  ipAddressTtlSeconds: server(
    "IPAddressTTL",
    wholeNumber("seconds", 0, 31_536_000),
    "300",
    "Time for which the address of an authenticated request is remembered. A request from any " +
      "other address writes a log line.",
  ),
  requestTtlSeconds: clients(
    "RequestTTL",
    wholeNumber("seconds", 1, 86400),
    "30",
    "Largest difference between the time in a request and the server's clock, in either " +
      "direction. Beyond it, the request is refused.",
  ),
  limits: {
    searchPercent: limits(
      "SearchPercent",
      wholeNumber("percent", 1, 100),
      "25",
      "CPU share, in percent of one core, for searching all keys. Beyond it, a request from an " +
        "address without an accepted request in the last hour is refused; others wait.",
    ),
    failuresPerMinute: limits(
      "FailuresPerMinute",
      wholeNumber("requests", 1, 1_000_000),
      "20",
      "Requests of unknown senders a minute from one address (IPv6: one /64 network) that start a " +
        "search. Beyond it, they are refused without one; recently used keys are still found.",
    ),
    bodyBytes: limits(
      "BodySize",
      wholeNumber("bytes", 1024, 1_048_576),
      "16384",
      "Size of a request body. One of protocol v1 needs less than 1,024 bytes. A larger one is refused " +
        "unread.",
    ),
    bodyTimeoutSeconds: limits(
      "BodyTimeout",
      wholeNumber("seconds", 1, 300),
      "10",
      "Time from the end of the request head to the end of the body. Then the request is refused.",
    ),
    requests: limits(
      "Requests",
      wholeNumber("requests", 16, 100_000),
      "2048",
      "Requests in flight, all addresses together. At the limit, the request whose body has been " +
        "arriving for longest is refused. If every body is complete, the new request is refused.",
    ),
    requestsPerAddress: limits(
      "RequestsPerAddress",
      wholeNumber("requests", 1, 100_000),
      "1024",
      "Requests in flight from one address (IPv6: one /64 network). At the limit, new ones are " +
        "refused at once.",
    ),
    addresses: limits(
      "Addresses",
      wholeNumber("addresses", 100, 1_000_000),
      "10000",
      "Addresses in each table (last addresses of clients, failures of unknown senders), about 0.2 " +
        "KB each. At the limit, the least recently used address is dropped: its next request needs a " +
        "search, and its failures count from zero.",
    ),
    rememberedRequests: limits(
      "RememberedRequests",
      REMEMBERED,
      "1300000",
      "Accepted requests that cannot be replayed, remembered for up to twice RequestTTL, 60 bytes of " +
        "memory each. At the limit, requests are refused. One client can use at most 8/9 of it.",
    ),
    rememberedEntries: limits(
      "RememberedEntries",
      REMEMBERED,
      "1000000",
      "Accepted requests whose `entry` value cannot be used in another request, whatever its age, 16 " +
        "bytes of memory each. At the limit, the oldest are forgotten. `replay.journal` keeps the same " +
        "number on disk.",
    ),
  },
  v2: {
    isEnabled: v2(
      "Enabled",
      choice({ yes: true, no: false }),
      "yes",
      "Whether the server answers protocol v2, on `/v2`.",
    ),
    ticketLifetimeSeconds: v2(
      "TicketLifetime",
      wholeNumber("seconds", 60, 86_400),
      "3600",
      "Time after which tickets get a new key. A ticket is valid until the key after its own is replaced, " +
        "so for up to twice this time. Calls that were recorded stay closed when keys leak after it.",
    ),
    ticketsPerClient: v2(
      "TicketsPerClient",
      wholeNumber("tickets", 1, 1024),
      "16",
      "Tickets of one client that are in use, up to 8 KB each. The next one ends the oldest.",
    ),
    maxBatch: v2(
      "Batch",
      wholeNumber("calls", 1, 1024),
      "16",
      "Calls in one batch. A larger batch gets an error.",
    ),
    allowedOrigins: v2(
      "AllowOrigins",
      optionalList("origins such as https://app.example, separated by commas, or *", ORIGIN),
      "none",
      "Origins of web pages elsewhere that may call `/v2`, or `*` for all. Pages need a registered key like " +
        "every client; there are no cookies.",
    ),
  },
  functions: {
    maxHeapMegabytes: functions(
      "MaxHeap",
      MAX_HEAP,
      "512",
      "Memory that a function process may use beyond its size at the start. Beyond it, the process is " +
        "replaced.",
    ),
    wall: functions<WallSetting>(
      "Wall",
      choice<WallSetting>({ auto: "auto", landlock: "landlock", user: "user", none: "none" }),
      "auto",
      "What holds function processes to their grants: the kernel (`landlock`), the user of `User`, or " +
        "Deno alone (`none`). `auto` takes the first that works; with the last, it refuses functions " +
        "with `Write` or `Env`.",
    ),
    user: functions(
      "User",
      optional(USER),
      "none",
      "User and group of the function processes. Only a server that runs as root can change them. " +
        "`--functions-user` and MSP_FUNCTIONS_USER override it.",
      { flag: "functions-user", variable: "MSP_FUNCTIONS_USER" },
    ),
  },
  proxy: {
    forwardedFor: proxy(
      "ForwardFor",
      HEADER_VALUES,
      "0",
      "Number of `X-Forwarded-For` values that trusted proxies add, counted from the right. 0 ignores " +
        "the header; a header with fewer values is ignored too.",
    ),
    forwardedHost: proxy("ForwardHost", HEADER_VALUES, "0", "The same for `X-Forwarded-Host`."),
    forwardedPort: proxy("ForwardPort", HEADER_VALUES, "0", "The same for `X-Forwarded-Port`."),
    forwardedPrefix: proxy(
      "ForwardPrefix",
      HEADER_VALUES,
      "0",
      "The same for `X-Forwarded-Prefix`.",
    ),
    forwardedProto: proxy("ForwardProto", HEADER_VALUES, "0", "The same for `X-Forwarded-Proto`."),
  },
  admin: {
    listen: admin(
      "Listen",
      optional(LISTEN),
      "none",
      "Address of `/healthz` and `/metrics` (Prometheus). They ask for no key, so never expose it. The " +
        "public port has neither.",
    ),
    hosts: admin(
      "Hosts",
      optionalList("host names, separated by commas", HOST_NAME),
      "none",
      "Names in a Host header that the admin address answers, separated by commas, besides `localhost` " +
        "and IP addresses: the name that Prometheus uses.",
    ),
  },
  logCalls: log(
    "Calls",
    choice({ yes: true, no: false }),
    "no",
    "Whether each call writes a log line: client, function, outcome, duration, reference. Arguments and " +
      "results are never logged.",
  ),
  cluster: {
    redis: cluster(
      "Redis",
      optional(REDIS_URL),
      "none",
      "Redis or Valkey server that several servers with the same key store share, as `redis://` or " +
        "`rediss://` (TLS). The password comes from MSP_REDIS_PASSWORD or PasswordFile. See docs/cluster.md.",
    ),
    passwordFile: cluster(
      "PasswordFile",
      optional(PATH),
      "none",
      "File with the password for Redis. It is read again for each connection. MSP_REDIS_PASSWORD " +
        "overrides it.",
    ),
    caFile: cluster(
      "CAFile",
      optional(PATH),
      "none",
      "Certificate (PEM) of the authority that signed the certificate of a `rediss://` server. Without it, " +
        "the public authorities are trusted.",
    ),
    prefix: cluster(
      "Prefix",
      KEY_PREFIX,
      "msp",
      "Begin of every key in Redis. Replicas of one server need the same prefix, different servers " +
        "different ones.",
    ),
    onFailure: cluster<OnRedisFailure>(
      "OnFailure",
      choice<OnRedisFailure>({ refuse: "refuse", local: "local" }),
      "refuse",
      "What happens to requests while Redis cannot be asked. `refuse` refuses them. `local` accepts what " +
        "this replica alone has not accepted before: a recorded request can run once on each replica.",
    ),
    timeoutMs: cluster(
      "Timeout",
      wholeNumber("milliseconds", 20, 10_000),
      "250",
      "Time for a command to Redis. At the limit, its request is refused, and so are others until another " +
        "connection works.",
    ),
    drainSeconds: cluster(
      "Drain",
      wholeNumber("seconds", 0, 300),
      "0",
      "Time after SIGTERM during which the server still accepts requests and `/readyz` is 503, so that a " +
        "proxy can notice it first.",
    ),
  },
  logFormat: log(
    "Format",
    choice<"text" | "json">({ text: "text", json: "json" }),
    "text",
    "Form of a log line. `json` writes one object a line, with `@timestamp`, `level`, `logger`, `message` " +
      "and `properties`.",
  ),
} as const satisfies OptionTree;

/** The specifications of the table in the order of the file: section by section. */
export function allOptions(tree: OptionTree = OPTIONS): readonly OptionSpec<unknown>[] {
  const specs = Object.values(tree).flatMap((each) => isSpec(each) ? [each] : allOptions(each));
  const sections = [...new Set(specs.map(({ section }) => section))];
  return sections.flatMap((section) => specs.filter((each) => each.section === section));
}

/** Whether an entry of a table is an option; otherwise it is a group. */
export function isSpec(entry: OptionSpec<unknown> | OptionTree): entry is OptionSpec<unknown> {
  return typeof entry["section"] === "string";
}
