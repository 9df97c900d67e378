/**
 * Invites in a key store: what they register, when they are over, and what a killed process leaves.
 */
import assert from "node:assert/strict";
import { toHex } from "../../../client/bytes.ts";
import type { StorePaths } from "../../../lib/config/settings.ts";
import { formatKey, parsePublicKey, type PublicKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { checkInvites } from "../../../lib/keys/check_invites.ts";
import {
  hashToken,
  type Invite,
  invitePath,
  listInvites,
  readInvite,
  stateOf,
  writeInvite,
} from "../../../lib/keys/invite_files.ts";
import {
  createInvite,
  type InviteSpec,
  redeemInvite,
  type RedemptionRequest,
  revokeInvite,
} from "../../../lib/keys/invites.ts";
import { listClients, purgeClients, removeClient } from "../../../lib/keys/store.ts";
import type { RegistrationRequest } from "../../../lib/registration_process.ts";
import { repositoryPath } from "../../../tasks/root.ts";
import { TempFolder } from "../../program.ts";

const NOW = new Date("2026-11-26T12:00:00Z");
const HOUR = 3_600_000;

/** A key store with one invite. */
class TestStore {
  private constructor(
    readonly folder: TempFolder,
    readonly paths: StorePaths,
    readonly tokenSha256: string,
    readonly token: Uint8Array,
  ) {}

  static async make(spec: Partial<InviteSpec> = {}): Promise<TestStore> {
    const folder = await TempFolder.make();
    const paths = {
      serverFolder: folder.path,
      clientsFolder: folder.path,
      register: folder.join("clients.dev"),
    };
    let token = new Uint8Array();
    await createInvite(paths, {
      now: NOW,
      expires: new Date(NOW.getTime() + HOUR),
      uses: 1,
      rules: {},
      ...spec,
    }, (_, made) => void (token = made));
    return new TestStore(folder, paths, hashToken(token).tokenSha256, token);
  }

  get id(): string {
    return this.tokenSha256.slice(0, 8);
  }

  async invite(): Promise<Invite> {
    const invite = await readInvite(this.paths, this.id);
    assert.ok(invite !== undefined);
    return invite;
  }

  async redeem(
    publicKey: PublicKey,
    more: Partial<RedemptionRequest> = {},
  ): Promise<string> {
    const { tokenSha256 } = this;
    const request = { tokenSha256, publicKey, address: "192.0.2.7", now: NOW, ...more };
    const outcome = await redeemInvite(this.paths, request);
    return outcome.status === "registered" ? outcome.file : outcome.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

function freshKey(): PublicKey {
  return generateKeyPair().publicKey;
}

Deno.test("an invite keeps the SHA-256 of its token, and no token", async () => {
  await using store = await TestStore.make({ rules: { name: "phone" }, keySeconds: 60 });
  const text = await store.folder.read(`invites/${store.id}.json`);
  assert.ok(text.includes(store.tokenSha256));
  assert.ok(!text.includes(toHex(store.token)));
  assert.equal(await store.folder.mode(`invites/${store.id}.json`), "600");
  assert.equal(await store.folder.mode("invites"), "700");
  assert.deepEqual(await store.invite(), {
    id: store.id,
    tokenSha256: store.tokenSha256,
    created: NOW,
    expires: new Date(NOW.getTime() + HOUR),
    uses: 1,
    keySeconds: 60,
    rules: { name: "phone" },
    isRevoked: false,
    redeemed: [],
  });
});

Deno.test("redeemInvite() writes the key with the rules of the invite", async () => {
  const rules = { name: "phone", functions: ["time_*"] };
  await using store = await TestStore.make({ rules, keySeconds: 86_400 });
  const key = freshKey();
  assert.equal(await store.redeem(key, { name: "ignored" }), "client_1.pub");
  assert.equal(
    await store.folder.read("client_1.pub"),
    `${formatKey(key)}\nname = phone\nfunctions = time_*\nexpires = 2026-11-27T12:00:00Z\n` +
      `added = 2026-11-26 by invite ${store.id}\n`,
  );
  assert.equal(stateOf(await store.invite(), NOW), "used");
  assert.deepEqual((await store.folder.names()).filter((name) => name === "clients.dev"), []);
});

Deno.test("what a second use of an invite gets", async () => {
  await using store = await TestStore.make({ uses: 3 });
  const [first, second, third, fourth] = [freshKey(), freshKey(), freshKey(), freshKey()];
  assert.equal(await store.redeem(first), "client_1.pub");
  assert.equal(await store.redeem(first), "client_1.pub", "the same key again");
  assert.equal((await store.invite()).redeemed.length, 1);
  assert.equal(await store.redeem(second), "client_2.pub");
  const [client] = await listClients(store.paths);
  assert.ok(client !== undefined);
  await removeClient(store.paths, client);
  assert.equal(await store.redeem(first), "invalid", "a client that was removed stays removed");
  assert.equal(await store.redeem(third), "client_3.pub");
  assert.equal(await store.redeem(fourth), "invalid", "no uses are left");
});

Deno.test("an invite that is not open registers nobody", async () => {
  const later = new Date(NOW.getTime() + HOUR);
  const cases = [
    { why: "expired", change: (invite: Invite) => invite, now: later },
    { why: "revoked", change: (invite: Invite) => ({ ...invite, isRevoked: true }), now: NOW },
    { why: "of another token", change: (invite: Invite) => invite, tokenSha256: "0".repeat(64) },
  ];
  for (const { why, change, now = NOW, ...more } of cases) {
    await using store = await TestStore.make();
    await writeInvite(store.paths, change(await store.invite()));
    assert.equal(await store.redeem(freshKey(), { now, ...more }), "invalid", why);
    assert.deepEqual(await listClients(store.paths), []);
  }
});

Deno.test("names: of the invite, else of the client, and none twice", async () => {
  await using named = await TestStore.make({ uses: 3, rules: { name: "Anna's phone" } });
  for (const _ of [1, 2, 3]) await named.redeem(freshKey());
  const namesIn = async ({ folder }: TestStore): Promise<string[]> => {
    const { compare } = new Intl.Collator("en", { numeric: true });
    const files = (await folder.names()).filter((name) => name.endsWith(".pub")).sort(compare);
    const texts = await Promise.all(files.map((file) => folder.read(file)));
    return texts.map((text) => /^name = (.*)$/m.exec(text)?.[1] ?? "");
  };
  assert.deepEqual(await namesIn(named), ["Anna's phone", "Anna's phone 2", "Anna's phone 3"]);

  await using open = await TestStore.make({ uses: 10 });
  const wanted = [
    "laptop",
    "LAPTOP",
    "x".repeat(64),
    "x".repeat(64),
    "17",
    "a\nfrom = 0.0.0.0/0",
    "",
    "lap\u200btop",
    "ｌａｐｔｏｐ",
    "\u200b",
  ];
  for (const name of wanted) await open.redeem(freshKey(), { name });
  assert.deepEqual(await namesIn(open), [
    "laptop",
    "LAPTOP 2",
    "x".repeat(64),
    `${"x".repeat(62)} 2`,
    "",
    "",
    "",
    "lap\u200btop 3",
    "ｌａｐｔｏｐ 4",
    "",
  ]);
});

Deno.test("revokeInvite() takes the beginning of an id, once", async () => {
  await using store = await TestStore.make();
  await assert.rejects(revokeInvite(store.paths, "", NOW), /there is none/);
  await assert.rejects(revokeInvite(store.paths, "../x", NOW), /there is none/);
  await revokeInvite(store.paths, store.id.slice(0, 4), NOW);
  assert.equal(stateOf(await store.invite(), NOW), "revoked");
  await assert.rejects(revokeInvite(store.paths, store.id, NOW), /it is revoked already/);
});

Deno.test("purgeClients() revokes open invites", async () => {
  await using store = await TestStore.make({ uses: 2 });
  await store.redeem(freshKey());
  await purgeClients(store.paths, () => {});
  assert.equal(stateOf(await store.invite(), NOW), "revoked");
  assert.equal(await store.redeem(freshKey()), "invalid");
});

Deno.test("invites that ended 30 days ago are dropped with the next one", async () => {
  await using store = await TestStore.make();
  const later = new Date(NOW.getTime() + 31 * 24 * HOUR);
  const spec = { now: later, expires: new Date(later.getTime() + HOUR), uses: 1, rules: {} };
  await createInvite(store.paths, spec, () => {});
  const { invites } = await listInvites(store.paths);
  assert.equal(invites.length, 1);
  assert.notEqual(invites[0]?.id, store.id);
});

Deno.test("a file that is not an invite is a fault, and not an open invite", async () => {
  await using store = await TestStore.make();
  const path = invitePath(store.paths, store.id);
  const text = await Deno.readTextFile(path);
  const broken = [
    "",
    "[]",
    text.slice(0, -20),
    text.replace(store.tokenSha256, "f".repeat(64)),
    text.replace('"uses": 1', '"uses": -1'),
    text.replace('"uses": 1', '"uses": "1"'),
    text.replace('"rules": ""', '"rules": "functions = a b"'),
    text.replace('"isRevoked": false', '"isRevoked": 0'),
    text.replace('"redeemed": []', '"redeemed": [{}]'),
  ];
  for (const each of broken) {
    assert.notEqual(each, text);
    await Deno.writeTextFile(path, each);
    const { invites, faults } = await listInvites(store.paths);
    assert.deepEqual([invites.length, faults.length], [0, 1], each);
    await assert.rejects(store.redeem(freshKey()), /Cannot read .*json: /);
  }
});

Deno.test("checkInvites() names open invites, and files that are wrong", async () => {
  await using store = await TestStore.make({ uses: 2, rules: { name: "phone" } });
  const nowSeconds = NOW.getTime() / 1000;
  const path = invitePath(store.paths, store.id);
  const found = async (): Promise<string[]> =>
    (await checkInvites(store.paths, nowSeconds)).map(({ level, what }) => `${level}: ${what}`);
  const open =
    `note: invite ${store.id} (phone) is open until 2026-11-26T13:00:00Z, uses left: 2 of 2`;
  assert.deepEqual(await found(), [open]);
  await Deno.chmod(path, 0o640);
  assert.deepEqual(await found(), [`wrong: ${path}: others can read it`, open]);
  await Deno.chmod(path, 0o600);
  await revokeInvite(store.paths, store.id, NOW);
  assert.deepEqual(await found(), []);
  await Deno.writeTextFile(path, "{}");
  assert.deepEqual(await found(), [
    `wrong: ${path}: tokenSha256 cannot be used: expected a text`,
  ]);
  await Deno.remove(store.folder.join("invites"), { recursive: true });
  assert.deepEqual(await found(), []);
});

/** Runs the process that registers a client, killed before a step. @returns whether it was. */
async function registerKilled(store: TestStore, key: PublicKey, step: number): Promise<boolean> {
  const { paths, tokenSha256 } = store;
  const request: RegistrationRequest = {
    paths,
    tokenSha256,
    publicKeyBase64: formatKey(key),
    address: "192.0.2.7",
    secretLine: `sha256:${"ab".repeat(32)}`,
  };
  const script = repositoryPath("tests/registration_killed.ts");
  // Without the configuration, as the server starts it: no package may be needed.
  const flags = ["--no-config", "--no-lock", "--no-npm", "--no-prompt", "--quiet"];
  const grants = ["--allow-read", "--allow-write", "--allow-run"];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, ...grants, script, String(step)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = process.output();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(request)));
  await writer.close();
  const { signal, code, stderr } = await output;
  if (signal === "SIGKILL") return true;
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return false;
}

Deno.test("a registration that is killed at any step is whole or nothing, and can be repeated", async () => {
  const states = new Set<string>();
  let step = 1;
  for (let isKilled = true; isKilled; step++) {
    const now = new Date();
    const expires = new Date(now.getTime() + HOUR);
    await using store = await TestStore.make({ now, expires, rules: { name: "phone" } });
    const key = freshKey();
    isKilled = await registerKilled(store, key, step);
    const clients = await listClients(store.paths);
    states.add(`${clients.length}`);
    for (const { publicKey } of clients) assert.equal(formatKey(publicKey), formatKey(key));
    // Another client gets the invite if, and only if, this one is not registered.
    const other = freshKey();
    const first = step % 2 === 0 ? key : other;
    const outcome = await store.redeem(first, { now });
    const isTaken = clients.length === 1 && first === other;
    assert.equal(outcome, isTaken ? "invalid" : "client_1.pub", `step ${step}`);
    const left = (await store.invite()).redeemed;
    assert.equal(left.length, 1, `step ${step}`);
    assert.equal((await store.invite()).pending, undefined);
    assert.equal((await listClients(store.paths)).length, 1);
    const register = await store.folder.read("clients.dev").catch(() => "");
    assert.ok(register.split("\n").length <= 2, register);
  }
  assert.deepEqual([...states].sort(), ["0", "1"]);
  assert.ok(step > 20, `${step} steps`);
});

Deno.test("a client that was removed after a killed registration is not registered again", async () => {
  const now = new Date();
  await using store = await TestStore.make({ now, expires: new Date(now.getTime() + HOUR) });
  const key = freshKey();
  assert.equal(await store.redeem(key, { now }), "client_1.pub");
  const { redeemed: [pending], ...invite } = await store.invite();
  assert.ok(pending !== undefined);
  // As it is after a kill between the client's file and the invite.
  await writeInvite(store.paths, { ...invite, redeemed: [], pending });
  const [client] = await listClients(store.paths);
  assert.ok(client !== undefined);
  await removeClient(store.paths, client);
  assert.equal(await store.redeem(key, { now }), "invalid");
});

Deno.test("the key of a client file is its first line", async () => {
  await using store = await TestStore.make();
  const key = freshKey();
  await store.redeem(key);
  const [line = ""] = (await store.folder.read("client_1.pub")).split("\n");
  const parsed = parsePublicKey(line);
  assert.ok(typeof parsed !== "string");
  assert.equal(formatKey(parsed), formatKey(key));
});
