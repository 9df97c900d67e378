import assert from "node:assert/strict";
import type { StorePaths } from "../../../lib/config/settings.ts";
import { formatKey, generateSecret } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { checkStore } from "../../../lib/keys/check.ts";
import { migrateSecrets, rotateSecrets } from "../../../lib/keys/register.ts";
import { hashedLine } from "../../../lib/keys/secrets.ts";
import { ensureServerKeys } from "../../../lib/keys/server_keys.ts";
import { ensureFolders } from "../../../lib/keys/store_files.ts";
import { TempFolder } from "../../program.ts";

/** 2026-06-01 */
const NOW = Date.UTC(2026, 5) / 1000;
const KEYS = Array.from({ length: 4 }, () => formatKey(generateKeyPair().publicKey));
const [A = "", B = ""] = KEYS;
const SECRETS = Array.from({ length: 4 }, () => hashedLine(generateSecret()));
const [S = "", T = "", U = ""] = SECRETS;
const PLAIN = generateSecret();

/** A key store with these clients, by the numbers of their files, and this register. */
async function makeStore(
  folder: TempFolder,
  { clients = {}, register = "" }: {
    clients?: Readonly<Record<string, string>>;
    register?: string;
  },
): Promise<StorePaths> {
  const sec = folder.join("sec");
  const paths = { serverFolder: sec, clientsFolder: sec, register: `${sec}/clients.dev` };
  await ensureFolders(paths);
  await ensureServerKeys(paths);
  await Deno.writeTextFile(paths.register, register, { mode: 0o600 });
  for (const [number, text] of Object.entries(clients)) {
    await Deno.writeTextFile(`${sec}/client_${number}.pub`, text, { mode: 0o644 });
  }
  return paths;
}

interface Case {
  readonly why: string;
  readonly clients?: Readonly<Record<string, string>>;
  readonly register?: string;
  /** Level, then what was found and the remedy. */
  readonly found?: readonly (readonly ["wrong" | "note", what: RegExp, remedy: RegExp])[];
  readonly facts?: readonly RegExp[];
}

const NO_LOCKOUT = /^(?!.*rotate-secrets(?! --grace))/;

const CASES: readonly Case[] = [
  { why: "one client", clients: { 1: A }, register: `${S}\n` },
  { why: "nobody" },
  {
    why: "rules that can be used",
    clients: { 1: `${A}\nname = a\nexpires = 2027-01-01\n# note\nrate = 1/s` },
    register: S,
  },
  {
    why: "after rotate-secrets --grace",
    clients: { 1: A, 2: B },
    register: `${S} until=${NOW + 9}\n${T} until=${NOW + 60}\n${U}\n${SECRETS[3]}\n`,
    facts: [/^2 previous secrets are accepted until 2026-06-01T00:01:00Z$/],
  },
  {
    why: "one previous secret",
    clients: { 1: A },
    register: `${S} until=${NOW + 9}\n${T}\n`,
    facts: [/^1 previous secret is accepted until /],
  },
  {
    why: "previous secrets that have ended",
    clients: { 1: A },
    register: `${S} until=${NOW}\n${U}\n`,
    facts: [/^1 previous secret in \/\S+clients\.dev has ended$/],
  },
  {
    why: "the only secrets have grace",
    clients: { 1: A },
    register: `${S} until=${NOW + 9}\n`,
    found: [["note", /clients\.dev: 0 secrets for 1 key: protocol v2 needs none/, /appendclient/]],
    facts: [/^1 previous secret is accepted/],
  },
  {
    why: "a removed client",
    clients: { 1: A },
    register: `${S}\n${T}\n`,
    found: [["note", /clients\.dev: 1 secret more than keys/, /^none is needed/]],
  },
  {
    why: "clients of protocol v2",
    clients: { 1: A, 2: B },
    register: `${S}\n`,
    found: [["note", /clients\.dev: 1 secret for 2 keys: protocol v2 needs none/, /appendclient/]],
  },
  {
    why: "a line repeated",
    clients: { 1: A },
    register: `${S}\n${S}\n`,
    found: [["note", /clients\.dev: 1 line repeated$/, /editor/]],
  },
  {
    why: "a secret of the Python program, and a comment",
    clients: { 1: A },
    register: `# Anna\n${PLAIN}\n`,
    found: [["note", /clients\.dev: 1 secret that can be read$/, /msp migrate-secrets, unless/]],
  },
  {
    why: "a line that is not a secret",
    clients: { 1: A },
    register: `${S}\nCANARY\n`,
    found: [["wrong", /clients\.dev: line 2 is not a secret/, /remove or repair/]],
  },
  {
    why: "a malformed rule",
    clients: { 7: `${A}\nname = a\nrat = 1/s CANARY\n` },
    register: S,
    found: [[
      "wrong",
      /client_7\.pub: line 3 is not a rule: .*; the server refuses this client/,
      /msp client 7 --clear/,
    ]],
  },
  {
    why: "an expired client, and one that expires soon",
    clients: {
      1: `${A}\nname = phone\nexpires = 2026-05-31`,
      2: `${B}\nexpires = 2026-06-03`,
      3: `${KEYS[2]}\nexpires = 2026-06-01T12:00Z`,
    },
    register: [S, T, U].join("\n"),
    found: [
      ["note", /client_1\.pub \(phone\): the client has expired, on 2026-05-31/, /--expires DATE/],
      ["note", /client_2\.pub: the client expires in 2 days, on 2026-06-03/, /^msp client 2 --exp/],
      ["note", /client_3\.pub: the client expires in less than a day, on/, /msp client 3/],
    ],
  },
  {
    why: "two files of one key",
    clients: { 1: `${A}\nname = a`, 2: `${A}\nname = a` },
    register: S,
    found: [["note", /client_2\.pub: the same key as \S+client_1\.pub: one client/, /remove/]],
  },
  {
    why: "two clients of one name",
    clients: { 1: `${A}\nname = a`, 2: `${B}\nname = A` },
    register: `${S}\n${T}`,
    found: [[
      "note",
      /client_2\.pub \(A\): \S+client_1\.pub has the same name/,
      /msp client 2 --name/,
    ]],
  },
  {
    why: "a file that is not a key",
    clients: { 1: A, 2: "CANARY me" },
    register: S,
    found: [["wrong", /client_2\.pub: not base64$/, /remove or replace/]],
  },
];

Deno.test("checkStore() finds what is wrong, and no remedy shuts other clients out", async () => {
  assert.ok(CASES.length > 10);
  for (const { why, clients = {}, register = "", found = [], facts = [] } of CASES) {
    await using folder = await TempFolder.make();
    const paths = await makeStore(folder, { clients, register });
    const result = await checkStore(paths, NOW);
    assert.equal(result.findings.length, found.length, `${why}: ${JSON.stringify(result)}`);
    for (const [index, [level, what, remedy]] of found.entries()) {
      const finding = result.findings[index];
      assert.equal(finding?.level, level, why);
      assert.match(finding?.what ?? "", what, why);
      assert.match(finding?.remedy ?? "", remedy, why);
      assert.match(finding?.remedy ?? "", NO_LOCKOUT, why);
    }
    assert.equal(result.facts.length, facts.length, `${why}: ${result.facts}`);
    for (const [index, fact] of facts.entries()) assert.match(result.facts[index] ?? "", fact, why);
    assert.doesNotMatch(JSON.stringify(result), /CANARY/, why);
  }
});

Deno.test("rotateSecrets() and migrateSecrets() pass over comments, and keep no more than is asked", async () => {
  await using folder = await TempFolder.make();
  const register = `# Anna\n${PLAIN}\n\n# Ben\n${S} until=${NOW + 9}\n${T} until=${NOW - 9}\n`;
  const paths = await makeStore(folder, { clients: { 1: A }, register });
  assert.equal(await migrateSecrets(paths), 1);
  const migrated = await Deno.readTextFile(paths.register);
  assert.equal(migrated, register.replace(PLAIN, hashedLine(PLAIN)).replace("\n\n", "\n"));
  const [fresh] = await rotateSecrets(paths, { graceSeconds: 60, nowSeconds: NOW, show: () => {} });
  assert.ok(fresh !== undefined);
  assert.deepEqual((await Deno.readTextFile(paths.register)).split("\n"), [
    `${hashedLine(PLAIN)} until=${NOW + 60}`,
    `${S} until=${NOW + 9}`,
    hashedLine(fresh),
    "",
  ]);
});
