import assert from "node:assert/strict";
import { ConfigError } from "../../../lib/errors.ts";
import { pairFault, readTlsPair } from "../../../lib/http/tls.ts";
import { Authority } from "../../authority.ts";
import { TempFolder } from "../../program.ts";

const CERT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

const REFUSED = [
  {
    why: "an encrypted key",
    key: KEY.replaceAll("PRIVATE", "ENCRYPTED PRIVATE"),
    state: /key\.pem: the key is encrypted with a passphrase/,
    hint: /openssl pkey -in FILE -out NEW/,
  },
  {
    why: "an encrypted key in the old form",
    key: KEY.replace("AAAA", "Proc-Type: 4,ENCRYPTED\n\nAAAA").replaceAll("PRIVATE", "RSA PRIVATE"),
    state: /key\.pem: the key is encrypted with a passphrase/,
    hint: /openssl pkey/,
  },
  {
    why: "a trusted certificate",
    cert: CERT.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE"),
    state: /cert\.pem: it holds a TRUSTED CERTIFICATE, expected a CERTIFICATE/,
    hint: /openssl x509 -in/,
  },
  {
    why: "DER",
    cert: "\x30\0\x82",
    state: /cert\.pem: it is not text, expected a CERTIFICATE in PEM/,
    hint: /openssl x509 -inform der/,
  },
  { why: "swapped", cert: KEY, key: CERT, state: /holds no CERTIFICATE/, hint: /swapped/ },
  { why: "nothing", key: "", state: /key\.pem: it holds no PRIVATE KEY/, hint: /KeyFile/ },
];

Deno.test("readTlsPair() says what a file holds instead, and what turns it into PEM", async () => {
  await using folder = await TempFolder.make();
  const files = { certFile: folder.join("cert.pem"), keyFile: folder.join("key.pem") };
  assert.ok(REFUSED.length > 0);
  for (const { why, cert = CERT, key = KEY, state, hint } of REFUSED) {
    await folder.write("cert.pem", cert);
    await folder.write("key.pem", key);
    await assert.rejects(readTlsPair(files), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, state, why);
      assert.match(error.hint ?? "", hint, why);
      return true;
    });
  }
  await folder.write("cert.pem", `\ufeff${CERT}`);
  await folder.write(
    "key.pem",
    `-----BEGIN EC PARAMETERS-----\n${KEY.replaceAll("PRIV", "EC PRIV")}`,
  );
  assert.equal((await readTlsPair(files)).cert, CERT);
});

Deno.test("pairFault() tells what Deno refuses", async () => {
  await using folder = await TempFolder.make();
  const authority = await Authority.make(folder);
  for (const name of ["a", "b"]) await authority.issue(name, name);
  const [cert, key, other] = await Promise.all(
    ["a.pem", "a.key", "b.key"].map((name) => folder.read(name)),
  );
  const faultOf = (pair: { cert: string; key: string }): string => {
    try {
      Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair }).close();
      return "none";
    } catch (error) {
      return pairFault(error);
    }
  };
  assert.equal(faultOf({ cert: cert ?? "", key: key ?? "" }), "none");
  assert.match(
    faultOf({ cert: cert ?? "", key: other ?? "" }),
    /KeyFile is not the key of CertFile/,
  );
  assert.match(faultOf({ cert: cert ?? "", key: KEY }), /KeyFile holds no key/);
  assert.match(faultOf({ cert: CERT, key: key ?? "" }), /CertFile holds no certificate/);
});
