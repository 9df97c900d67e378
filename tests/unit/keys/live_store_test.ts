import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Box } from "../../../lib/crypto/box.ts";
import { formatKey, type KeyPair, type PublicKey } from "../../../lib/crypto/keys.ts";
import { generateKeyPair } from "../../../lib/crypto/nacl.ts";
import { NonceMark } from "../../../lib/crypto/nonce_mark.ts";
import { type ClientRecord, Keyring } from "../../../lib/keys/keyring.ts";
import { LiveStore } from "../../../lib/keys/live_store.ts";
import type { ClientRules } from "../../../lib/keys/rules.ts";
import { waitUntil } from "../../functions.ts";
import { TempFolder } from "../../program.ts";

const box = await Box.load();
const [ANNA, BOB, EVE] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const A = formatKey(ANNA.publicKey), B = formatKey(BOB.publicKey);
const SECRET_1 = "a1".repeat(64), SECRET_2 = "b2".repeat(64);

/** A key store on disk and the keyring that follows it. */
class Followed {
  faults: string[] = [];
  reloads: string[] = [];
  nowSeconds = 1000;
  readonly keyring: Keyring;
  readonly store: LiveStore;
  #seen = "";

  private constructor(readonly folder: TempFolder, server: KeyPair, defaults: ClientRules) {
    this.keyring = new Keyring(box, server.privateKey);
    this.store = new LiveStore({
      keyring: this.keyring,
      nonceMark: new NonceMark(box, server.privateKey),
      handshakeKeys: undefined,
      paths: {
        serverFolder: folder.path,
        clientsFolder: folder.path,
        register: folder.join("clients.dev"),
      },
      serverKey: server.privateKey,
      defaults,
      nowSeconds: () => this.nowSeconds,
      observer: {
        fault: (_, what) => void this.faults.push(what.replaceAll(`${folder.path}/`, "")),
        storeLoaded: () => {},
        reloaded: (_, detail) => void this.reloads.push(detail),
      },
    });
  }

  static async start(
    files: Readonly<Record<string, string>>,
    defaults: ClientRules = {},
  ): Promise<Followed> {
    const folder = await TempFolder.make();
    const server = generateKeyPair();
    await folder.write("server.key", formatKey(server.privateKey));
    await folder.write("server.pub", formatKey(server.publicKey));
    for (const [name, text] of Object.entries(files)) await folder.write(name, text);
    const followed = new Followed(folder, server, defaults);
    await followed.settle();
    followed.#seen = await followed.store.load();
    await followed.keyring.whenLoaded();
    return followed;
  }

  /** Writes files (`undefined` removes one) and follows what can be seen of them. */
  async change(files: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      if (text === undefined) await Deno.remove(this.folder.join(name));
      else await this.folder.write(name, text);
    }
    await this.settle();
    assert.ok(await this.followIfSeen(), `nothing was seen of ${Object.keys(files)}`);
  }

  /** As a watch does, before it reloads. */
  async settle(): Promise<void> {
    await waitUntil(async () => !(await this.store.look()).includes("recent"), "it has settled");
  }

  /** Follows the store where something can be seen to have changed. */
  async followIfSeen(): Promise<boolean> {
    if (await this.store.look() === this.#seen) return false;
    this.#seen = await this.store.follow();
    return true;
  }

  record({ publicKey }: KeyPair): ClientRecord | undefined {
    return this.keyring.recordOf(publicKey);
  }

  isSecret(text: string): boolean {
    return this.keyring.isRegisteredSecret(Buffer.from(text));
  }

  takeFaults(): string[] {
    return this.faults.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("LiveStore follows files that are added, changed in place, renamed and removed", async () => {
  const table: {
    change: Record<string, string | undefined>;
    labels: [anna: string | undefined, bob: string | undefined];
    faults: string[];
    why: string;
  }[] = [
    { change: { "client_2.pub": B }, labels: ["1", "2"], faults: [], why: "added" },
    { change: { "client_1.pub": B }, labels: [undefined, "1"], faults: [], why: "another key" },
    { change: { "client_1.pub": A }, labels: ["1", "2"], faults: [], why: "and back" },
    {
      change: { "client_1.pub": undefined, "client_x.pub": A },
      labels: ["client_x.pub", "2"],
      faults: [],
      why: "renamed",
    },
    {
      change: { "client_x.pub": `${A}\nname = Anna's phone\n` },
      labels: ["Anna's phone", "2"],
      faults: [],
      why: "named",
    },
    {
      change: { "client_x.pub": "half a k" },
      labels: ["Anna's phone", "2"],
      faults: ["client_x.pub: not base64, the key that was known stays valid"],
      why: "half written",
    },
    {
      change: { "client_3.pub": `${"A".repeat(43)}=` },
      labels: ["Anna's phone", "2"],
      faults: ["client_3.pub: a point of low order, no safe key, skipped"],
      why: "no safe key; what was reported is not reported again",
    },
    {
      change: { "client_x.pub": A, "client_3.pub": "" },
      labels: ["client_x.pub", "2"],
      faults: ["client_3.pub: empty, the key that was known stays valid"],
      why: "whole again",
    },
    {
      change: { "client_3.pub": undefined },
      labels: ["client_x.pub", "2"],
      faults: [],
      why: "gone",
    },
    {
      change: { "client_2.pub": undefined, "client_x.pub": undefined },
      labels: [undefined, undefined],
      faults: [],
      why: "removed",
    },
  ];
  assert.equal(table.length, 10);
  await using live = await Followed.start({ "client_1.pub": A, "clients.dev": "" });
  assert.equal(live.record(ANNA)?.label, "1");
  for (const { change, labels, faults, why } of table) {
    await live.change(change);
    assert.deepEqual([ANNA, BOB].map((each) => live.record(each)?.label), labels, why);
    assert.deepEqual(live.takeFaults(), faults, why);
    assert.equal(live.store.clientCount, labels.filter((each) => each !== undefined).length, why);
    assert.equal(await live.followIfSeen(), false, `${why}: seen twice`);
  }
});

Deno.test("LiveStore keeps the record of a client whose rules change, and drops that of another key", async () => {
  await using live = await Followed.start({ "client_1.pub": A, "clients.dev": "" });
  const record = live.record(ANNA);
  await live.change({ "client_1.pub": `${A}\nfunctions = a\n` });
  assert.equal(live.record(ANNA), record, "calls in flight and tickets go on");
  assert.ok(record !== undefined);
  assert.ok(record.policy.mayCall("a") && !record.policy.mayCall("b"));
  const { policy } = record;
  assert.equal(policy.count(0), 0);
  live.store.readAllNext();
  await live.store.follow();
  assert.equal(record.policy, policy, "a rate goes on where the rules did not change");
  await live.change({ "client_1.pub": B });
  assert.ok(!live.keyring.isRegistered(record));
  await live.change({ "client_1.pub": A });
  assert.ok(!live.keyring.isRegistered(record), "the same key later is another client");
});

Deno.test("LiveStore shuts out a key with a rule that is not understood, and says so once", async () => {
  const rules = ["functions = ", "nmae = x", "rate = 1/year", "expires = soon", "from = *", "x"];
  await using live = await Followed.start({
    "client_1.pub": A,
    "client_2.pub": B,
    "clients.dev": "",
  });
  for (const rule of rules) {
    await live.change({ "client_1.pub": `${A}\nname = anna\n${rule}` });
    assert.equal(live.record(ANNA), undefined, rule);
    const faults = live.takeFaults();
    assert.equal(faults.length, 1, rule);
    assert.match(faults[0] ?? "", /^client_1\.pub: line 3 .*; the server refuses this client$/);
    await live.change({ "client_3.pub": B });
    assert.equal(live.record(ANNA), undefined, rule);
    assert.deepEqual(live.takeFaults(), [], "once");
    live.store.readAllNext();
    await live.store.follow();
    assert.deepEqual(live.takeFaults(), faults, "and whenever somebody asks");
    await live.change({ "client_1.pub": A, "client_3.pub": undefined });
    assert.equal(live.record(ANNA)?.label, "1", rule);
  }
  assert.match(live.reloads.join("\n"), /1 file that cannot be used/);
});

Deno.test("LiveStore takes files with one key as one client, with the stricter rules of all", async () => {
  const table: {
    files: (string | undefined)[];
    name: string | undefined;
    allowed: string[];
    why: string;
  }[] = [
    { files: ["", undefined], name: undefined, allowed: ["a", "b", "c"], why: "one, no rules" },
    { files: ["", ""], name: undefined, allowed: ["a", "b", "c"], why: "a copy" },
    { files: ["functions = a, b", ""], name: undefined, allowed: ["a", "b"], why: "rules in one" },
    {
      files: ["", "name = x\nfunctions = !a"],
      name: "x",
      allowed: ["b", "c"],
      why: "in the other",
    },
    {
      files: ["name = y\nfunctions = a, b", "name = x\nfunctions = b, c"],
      name: "y",
      allowed: ["b"],
      why: "in both; the name of the first",
    },
    { files: ["functions = a", "functions = "], name: "gone", allowed: [], why: "one malformed" },
    { files: [undefined, "functions = a"], name: undefined, allowed: ["a"], why: "one removed" },
  ];
  assert.equal(table.length, 7);
  await using live = await Followed.start({ "clients.dev": "" });
  let before: (string | undefined)[] = [];
  for (const { files, name, allowed, why } of table) {
    const change: Record<string, string | undefined> = {};
    for (const [index, rules] of files.entries()) {
      if (rules === before[index]) continue;
      change[`client_${9 + index}.pub`] = rules === undefined ? undefined : `${A}\n${rules}`;
    }
    before = files;
    await live.change(change);
    const record = live.record(ANNA);
    assert.equal(record === undefined ? "gone" : record.name, name, why);
    const may = ["a", "b", "c"].filter((each) => record?.policy.mayCall(each));
    assert.deepEqual(may, allowed, why);
    assert.ok(live.store.clientCount <= 1, why);
  }
});

Deno.test("LiveStore takes a key in another form as the same client", async () => {
  const other = ANNA.publicKey.slice();
  other[31] = (other[31] ?? 0) | 0x80;
  const text = formatKey(other as PublicKey);
  const files = { "clients.dev": "", "client_1.pub": `${A}\nfunctions = a`, "client_2.pub": text };
  await using live = await Followed.start(files);
  assert.equal(live.store.clientCount, 1);
  assert.equal(live.record(ANNA)?.policy.mayCall("b"), false);
  await live.change({ "client_1.pub": undefined });
  assert.equal(live.record(ANNA)?.policy.mayCall("b"), true);
});

Deno.test("LiveStore gives files without a functions rule the default of [Clients] Functions", async () => {
  const table = [
    { files: [""], allowed: ["a"], why: "no rules" },
    { files: ["name = x"], allowed: ["a"], why: "no such rule" },
    { files: ["functions = b"], allowed: ["b"], why: "its own" },
    { files: ["functions = *"], allowed: ["a", "b"], why: "everything" },
    { files: ["", "functions = *"], allowed: ["a"], why: "the stricter of both" },
  ];
  assert.equal(table.length, 5);
  for (const { files, allowed, why } of table) {
    const texts = files.map((rules, index) => [`client_${index}.pub`, `${A}\n${rules}`]);
    await using live = await Followed.start(Object.fromEntries(texts), { functions: ["a"] });
    const policy = live.record(ANNA)?.policy;
    assert.deepEqual(["a", "b"].filter((each) => policy?.mayCall(each)), allowed, why);
  }
});

Deno.test("LiveStore: a line of the register that is no secret keeps no deleted secret valid", async () => {
  const table: { text: string; secrets: string[]; faults: RegExp[]; why: string }[] = [
    { text: `# note\n${SECRET_1}\n`, secrets: [SECRET_1], faults: [], why: "a comment" },
    {
      text: `typo\n${SECRET_2}\n`,
      secrets: [SECRET_2],
      faults: [/line 1 is not a secret, skipped/],
      why: "a line that is complete",
    },
    {
      text: `${SECRET_1}\n${SECRET_2.slice(3)}`,
      secrets: [SECRET_2],
      faults: [/the last line is not complete; the secrets that were known stay valid for 5 sec/],
      why: "a line that is being written",
    },
    {
      text: `${SECRET_1}\n${SECRET_2}`,
      secrets: [SECRET_1, SECRET_2],
      faults: [],
      why: "is whole",
    },
    { text: `${SECRET_1}\n#`, secrets: [SECRET_1], faults: [], why: "a comment without an end" },
    { text: "", secrets: [], faults: [], why: "emptied" },
  ];
  assert.equal(table.length, 6);
  await using live = await Followed.start({ "clients.dev": `${SECRET_1}\n${SECRET_2}\n` });
  for (const { text, secrets, faults, why } of table) {
    await live.change({ "clients.dev": text });
    const valid = [SECRET_1, SECRET_2].filter((each) => live.isSecret(each));
    assert.deepEqual(valid, secrets, why);
    const found = live.takeFaults();
    assert.equal(found.length, faults.length, why);
    for (const [index, fault] of faults.entries()) assert.match(found[index] ?? "", fault, why);
  }
  await live.change({ "clients.dev": SECRET_1 });
  await live.change({ "clients.dev": SECRET_1.slice(1) });
  assert.ok(live.isSecret(SECRET_1));
  live.nowSeconds += 4;
  assert.equal(await live.followIfSeen(), false);
  live.nowSeconds += 1;
  assert.equal(await live.followIfSeen(), true, "5 seconds later it counts as it is");
  assert.ok(!live.isSecret(SECRET_1));
  assert.match(live.takeFaults().at(-1) ?? "", /line 1 is not a secret, skipped/);
});

Deno.test("LiveStore reads again what it could not read, and says so once", async () => {
  await using live = await Followed.start({ "client_1.pub": A, "clients.dev": SECRET_1 });
  await Deno.symlink("nowhere", live.folder.join("client_2.pub"));
  await Deno.rename(live.folder.join("clients.dev"), live.folder.join("kept"));
  await Deno.mkdir(live.folder.join("clients.dev"));
  await live.settle();
  assert.ok(await live.followIfSeen());
  assert.ok(live.isSecret(SECRET_1) && live.record(ANNA) !== undefined);
  const faults = live.takeFaults();
  assert.equal(faults.length, 2, faults.join("\n"));
  const reloads = live.reloads.length;
  for (let i = 0; i < 3; i++) {
    assert.equal(await live.followIfSeen(), false);
    live.nowSeconds += 5;
    assert.equal(await live.followIfSeen(), true, "tried again");
    assert.deepEqual(live.takeFaults(), [], "said once");
    assert.equal(live.reloads.length, reloads, "nothing was reloaded");
  }
  // What the link points to is in another folder: nothing here can be seen to change.
  await live.folder.write("nowhere", B);
  live.nowSeconds += 5;
  assert.ok(await live.followIfSeen());
  assert.equal(live.record(BOB)?.label, "2");
});

Deno.test("LiveStore follows the keys of the server, with and without a previous key", async () => {
  await using live = await Followed.start({ "client_1.pub": A, "clients.dev": "" });
  const first = live.record(ANNA);
  const next = generateKeyPair();
  const before = await live.folder.read("server.key");
  await live.change({
    "server.key": formatKey(next.privateKey),
    "server.previous.key": `${before}\nuntil=1010\n`,
  });
  const second = live.record(ANNA);
  assert.ok(first !== undefined && second !== undefined && first !== second);
  assert.ok(live.keyring.isRegistered(first), "the previous key has its grace");
  assert.equal(live.keyring.size, 2);
  assert.equal(live.store.clientCount, 1);
  await live.change({ "client_1.pub": `${A}\nfunctions = a` });
  assert.ok(!first.policy.mayCall("b") && !second.policy.mayCall("b"), "rules count for both");
  live.nowSeconds = 1010;
  assert.ok(await live.followIfSeen());
  assert.ok(!live.keyring.isRegistered(first) && live.keyring.isRegistered(second));
  await live.change({ "client_1.pub": undefined });
  assert.equal(live.keyring.size, 0);
});

Deno.test("LiveStore sees a file that is changed in place among more than are checked at each look", async () => {
  const folder = await TempFolder.make();
  const files: Record<string, string> = { "clients.dev": "" };
  for (let i = 0; i < 1200; i++) files[`client_${i}.pub`] = formatKey(BOB.publicKey);
  await folder[Symbol.asyncDispose]();
  await using live = await Followed.start(files);
  assert.equal(live.store.clientCount, 1);
  // In place: neither the folder nor the size changes.
  Deno.writeTextFileSync(join(live.folder.path, "client_1199.pub"), formatKey(EVE.publicKey));
  const startedMs = performance.now();
  while (!await live.followIfSeen()) assert.ok(performance.now() - startedMs < 20_000);
  assert.equal(live.record(EVE)?.label, "1199");
});
