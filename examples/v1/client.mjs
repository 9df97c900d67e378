// Calls a function of a Mini Share Point server and prints its answer: node client.mjs URL FUNCTION
// Reads client.key, client.secret and server.pub in the working folder. Needs tweetnacl.
import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import nacl from "tweetnacl";

const [url, functionName] = process.argv.slice(2);
if (functionName === undefined) {
  console.error("usage: node client.mjs URL FUNCTION");
  process.exit(2);
}

function fail(why) {
  console.error(`client.mjs: ${why}`);
  process.exit(1);
}

function read(name) {
  try {
    return readFileSync(name, "utf8").trim();
  } catch (error) {
    return fail(`cannot read ${name}: ${error.code}`);
  }
}

function readKey(name) {
  const key = new Uint8Array(Buffer.from(read(name), "base64"));
  return key.length === nacl.box.publicKeyLength
    ? key
    : fail(`cannot use ${name}: expected 44 base64 characters`);
}

const secret = Buffer.from(read("client.secret"));
const shared = nacl.box.before(readKey("server.pub"), readKey("client.key"));
/** The nonces of this request. */
const nonces = [];

/** Unsigned, big-endian, without leading zeros. */
function number(value) {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
}

/** A fresh random nonce for each value, in front of it. */
function seal(plain) {
  const nonce = nacl.randomBytes(nacl.box.nonceLength);
  nonces.push(Buffer.from(nonce));
  const boxed = nacl.box.after(new Uint8Array(plain), nonce, shared);
  return Buffer.concat([nonce, boxed]).toString("base64url");
}

function open(text) {
  const sealed = new Uint8Array(Buffer.from(text, "base64url"));
  const nonce = sealed.slice(0, nacl.box.nonceLength);
  // Box keys are symmetric: without this check, somebody in between could return one of the request's
  // own values, such as the secret, as the answer.
  if (nonces.some((own) => own.equals(nonce))) {
    fail("the answer is one of the request's own values");
  }
  const plain = nonce.length < nacl.box.nonceLength
    ? null
    : nacl.box.open.after(sealed.slice(nacl.box.nonceLength), nonce, shared);
  if (plain === null) fail("the answer does not open under these keys");
  return new TextDecoder().decode(plain);
}

/** node:zlib has CRC-32 from Node 22 on. */
function checksum(bytes) {
  if (zlib.crc32 !== undefined) return zlib.crc32(bytes);
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

let response;
let body;
try {
  response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    // A redirect turns a POST into a GET; the server itself never redirects.
    redirect: "manual",
    signal: AbortSignal.timeout(30_000),
    body: JSON.stringify({
      id: seal(secret),
      check: seal(number(checksum(secret))),
      ts: seal(number(Math.floor(Date.now() / 1000))),
      entry: seal(Buffer.from(functionName)),
    }),
  });
  body = await response.text();
} catch (error) {
  fail(`cannot reach the server: ${error.cause?.message || error.cause?.code || error.message}`);
}
if (response.status !== 200) fail(`refused: status ${response.status}`);
let value;
try {
  value = String(JSON.parse(body).value);
} catch {
  fail("the answer does not open under these keys");
}
console.log(open(value));
