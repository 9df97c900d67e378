/**
 * @module
 * The baseline: finds the sender as the Python program does, by deriving the key of each registered
 * client anew for each of the four values, with the same library as the server. Argument: folder.
 */
import { Box } from "../lib/crypto/box.ts";
import { readPrivateKey } from "../lib/crypto/key_file.ts";
import {
  encodeResponse,
  encodeResult,
  RequestParser,
  VALUE_NAMES,
} from "../lib/protocol/v1_messages.ts";
import { listClientFiles, readClientKey } from "../lib/keys/store_reader.ts";

const [home = "."] = Deno.args;
const sec = `${home}/sec`;
const box = await Box.load();
const serverKey = await readPrivateKey(`${sec}/server.key`);
const names = await listClientFiles(sec);
const publicKeys = names.flatMap((name) => {
  const key = readClientKey(`${sec}/${name}`);
  return "state" in key ? [] : [key];
});
const parser = new RequestParser();

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  async (request) => {
    const parsed = parser.parse(await request.text());
    if (!parsed.ok) return new Response(null, { status: 401 });
    for (const publicKey of publicKeys) {
      const opens = VALUE_NAMES.every((name) => {
        const key = box.deriveSharedKey(publicKey, serverKey);
        if (key === undefined) return false;
        const opened = box.open(key, parsed.message[name]);
        box.forget(key);
        return opened !== undefined;
      });
      if (!opens) continue;
      const key = box.deriveSharedKey(publicKey, serverKey);
      if (key === undefined) break;
      const sealed = box.seal(
        key,
        crypto.getRandomValues(new Uint8Array(24)),
        encodeResult(new Date().toString()),
      );
      box.forget(key);
      return new Response(encodeResponse(sealed));
    }
    return new Response(null, { status: 401 });
  },
);
// deno-lint-ignore no-console -- the ready line of a helper program
console.log(`ready on http://127.0.0.1:${server.addr.port}/v1`);
