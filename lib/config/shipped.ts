/**
 * @module
 * The files that a first start makes. Written by `deno task embed` from config/ and modules/;
 * change those.
 */

/** config/config.ini */
export const CONFIG_INI = `# docs/configuration.md lists every option with its range and what happens at each limit.

[Server]
# Address and port to listen on
Host=0.0.0.0
Port=8000
# Unix socket to listen on instead, and its mode
Socket=none
SocketMode=660
# Certificate chain and private key (PEM) for TLS
CertFile=none
KeyFile=none
# Folder of server.key and server.pub
Keypath=sec
# Folder for what must outlive a restart; auto: the folder state inside Keypath
Statepath=auto
# Seconds for which the address of an authenticated request is remembered;
# a request from any other address writes a log line
IPAddressTTL=300

[Clients]
# Folder of the client_*.pub files, and file of the secrets
Keypath=sec
Register=sec/clients.dev
# Largest difference, in seconds, between the time in a request and the server's clock
RequestTTL=30

[Limits]
# CPU share, in percent of one core, for searching all keys
SearchPercent=25
# Requests of unknown senders a minute from one address (IPv6: one network) that start a search
FailuresPerMinute=20
# Size of a request body in bytes, and seconds for it to arrive
BodySize=16384
BodyTimeout=10
# Requests in flight: all addresses together, and from one address
Requests=2048
RequestsPerAddress=1024
# Addresses in each table
Addresses=10000
# Accepted requests that are remembered: whole ones, and their entry values
RememberedRequests=1300000
RememberedEntries=1000000

[Functions]
# Megabytes that a function process may use beyond its size at the start
MaxHeap=512
# User and group of function processes, UID:GID, if the server runs as root; none is the server's user
User=none

[Proxy]
# Number of values of each X-Forwarded-* header that trusted proxies add; 0 ignores the header
ForwardFor=0
ForwardHost=0
ForwardPort=0
ForwardPrefix=0
ForwardProto=0

[Admin]
# Address of /healthz and /metrics, such as 127.0.0.1:9101
Listen=none

[Log]
# text, or json: one object a line
Format=text
`;

/** config/modules.ini */
export const MODULES_INI = `# function_name=module: a call of function_name runs modules/module.ts, .js or .mjs
[Modules]
time_test=simple_time
`;

/** modules/simple_time.js */
export const SIMPLE_TIME_JS = `// The demo function: answers with the server's local time, in the form of C's ctime.
// It is JavaScript, since a compiled server loads .ts only from Deno 2.8.2 on.

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];

/**
 * \`Sat Mar 30 13:20:53 2024\`; the day of the month is padded with a space.
 *
 * @param {Date} date
 * @returns {string}
 */
function ctime(date) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = String(date.getDate()).padStart(2, " ");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return \`\${DAYS[date.getDay()]} \${MONTHS[date.getMonth()]} \${day} \${time} \${date.getFullYear()}\`;
}

/**
 * What a call of this function runs.
 *
 * @returns {string}
 */
export function entry_call() {
  return \`It is currently: \\n\\t\${ctime(new Date())}\`;
}
`;
