// Calls a function of a Mini Share Point and prints its answer: node client.mjs URL FUNCTION
// Reads client.key, client.secret and server.pub in the working folder. Needs tweetnacl.
import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import nacl from "tweetnacl";

const [url, functionName] = process.argv.slice(2);
if (functionName === undefined) {
  console.error("usage: node client.mjs URL FUNCTION");
  process.exit(2);
}
const read = (name) => readFileSync(name, "utf8").trim();
const privateKey = new Uint8Array(Buffer.from(read("client.key"), "base64"));
const serverKey = new Uint8Array(Buffer.from(read("server.pub"), "base64"));
const secret = Buffer.from(read("client.secret"));
const shared = nacl.box.before(serverKey, privateKey);

/** Unsigned, big-endian, without leading zeros. */
function number(value) {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
}

/** A fresh random nonce for each value, in front of it. */
function seal(plain) {
  const nonce = nacl.randomBytes(nacl.box.nonceLength);
  const boxed = nacl.box.after(new Uint8Array(plain), nonce, shared);
  return Buffer.concat([nonce, boxed]).toString("base64url");
}

function open(text) {
  const sealed = new Uint8Array(Buffer.from(text, "base64url"));
  const plain = nacl.box.open.after(sealed.slice(24), sealed.slice(0, 24), shared);
  if (plain === null) throw new Error("the answer does not open under these keys");
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

const response = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    id: seal(secret),
    check: seal(number(checksum(secret))),
    ts: seal(number(Math.floor(Date.now() / 1000))),
    entry: seal(Buffer.from(functionName)),
  }),
});
if (response.status !== 200) {
  console.error(`refused: status ${response.status}`);
  process.exit(1);
}
console.log(open((await response.json()).value));
