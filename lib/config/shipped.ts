/**
 * @module
 * The files that a first start makes. Written by `deno task embed` from config/ and modules/;
 * change those.
 */

/** config/config.ini */
export const CONFIG_INI = `# Every option with its range: docs/configuration.md

[Server]
# Address and port to listen on
Host=0.0.0.0
Port=8000
# A Unix socket in place of them, and its mode
Socket=none
SocketMode=660
# Certificate chain and private key (PEM) for TLS
CertFile=none
KeyFile=none
# Folder of server.key and server.pub
Keypath=sec
# Seconds for which the address of an authenticated request is remembered;
# a request from an address that is not remembered writes a log entry
IPAddressTTL=300

[Clients]
# Folder of the client_*.pub files, and the file of the secrets
Keypath=sec
Register=sec/clients.dev
# Seconds that the time in a request may differ from the server's
RequestTTL=30

[Limits]
# Percent of one core for finding senders that were not heard from lately, and strangers
SearchPercent=25
# Requests of strangers a minute from one address (IPv6: one network) that are looked into
FailuresPerMinute=20
# Bytes of a request's body, and seconds for it to come
BodySize=16384
BodyTimeout=10
# Requests in flight at once: all together, and of one address
Requests=4096
RequestsPerAddress=1024
# Addresses that are remembered
Addresses=10000
# Accepted requests that are remembered: within the replay window, and for their function's name
RememberedRequests=524288
RememberedEntries=1000000

[Functions]
# Megabytes that the processes of functions may use beyond what they start with
MaxHeap=512
# Whom they run as, UID:GID, where the server runs as root; none is the server's own user
User=none

[Proxy]
# How many values of each X-Forwarded-* header trusted proxies set; 0 ignores the header
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
