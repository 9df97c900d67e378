/**
 * Whatever stands in a file that the program reads, it is read or refused with an error of ours that does
 * not repeat what may be a secret.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseIni } from "../../lib/config/ini.ts";
import { modulesFrom } from "../../lib/config/modules.ts";
import { settingsFrom } from "../../lib/config/settings.ts";
import { parsePrivateKey, parsePublicKey, parseSecret } from "../../lib/crypto/keys.ts";
import { MspError } from "../../lib/errors.ts";
import { parseRegisterLine } from "../../lib/keys/secrets.ts";
import { HOSTILE_TEXTS } from "../hostile.ts";

const RUNS = { numRuns: 5000 };

/** Texts that look like the files, are hostile, or are anything. */
const ini = fc.oneof(
  fc.string({ unit: "binary", maxLength: 500 }),
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.array(
    fc.oneof(
      fc.constantFrom(
        "[Server]",
        "[Limits]",
        "[Modules]",
        "[__proto__]",
        "[",
        "]",
        "; x",
        "# x",
        "=",
      ),
      fc.tuple(
        fc.constantFrom("Port", "Host", "RequestTTL", "__proto__", "constructor", "f", "", "a.b"),
        fc.constantFrom("=", ":", " = ", "=="),
        fc.oneof(
          fc.string({ maxLength: 30 }),
          fc.constantFrom(...HOSTILE_TEXTS),
          fc.nat().map(String),
        ),
      ).map((parts) => parts.join("")),
    ),
    { maxLength: 20 },
  ).map((lines) => lines.join("\n")),
);

function assertReadOrRefused(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof MspError, `${error}`);
    assert.ok(error.message.length < 400, "a message that nobody can read");
  }
  assert.equal(Object.getOwnPropertyNames(Object.prototype).includes("x"), false);
}

Deno.test("config.ini and modules.ini: any text is read or refused with one clear error", () => {
  fc.assert(
    fc.property(ini, (text) => {
      const file = parseIni(text);
      assertReadOrRefused(() => settingsFrom(file, "config.ini"));
      assertReadOrRefused(() => modulesFrom(file, "modules.ini"));
    }),
    RUNS,
  );
});

const base64 = fc.uint8Array({ maxLength: 70 }).map((bytes) => btoa(String.fromCharCode(...bytes)));
const hex = fc.uint8Array({ maxLength: 70 }).map((bytes) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
);

Deno.test("key files and registers: any text is a value of the right size or none", () => {
  const text = fc.oneof(
    base64,
    hex,
    fc.constantFrom(...HOSTILE_TEXTS),
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.tuple(fc.constantFrom("sha256:", "SHA256:", "sha256: "), hex, fc.string({ maxLength: 20 }))
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (content) => {
      for (const parse of [parsePublicKey, parsePrivateKey]) {
        const key = parse(content);
        if (typeof key !== "string") assert.equal(key.length, 32);
      }
      const secret = parseSecret(content);
      if (secret !== undefined) assert.match(secret, /^[0-9a-f]{128}$/);
      const line = parseRegisterLine(content);
      if (line?.kind === "hashed") assert.equal(line.digest.length, 32);
    }),
    RUNS,
  );
});
