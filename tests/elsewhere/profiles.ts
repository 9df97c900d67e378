/**
 * @module
 * Tests of the profiles of a page, which need a real IndexedDB.
 */
import assert from "node:assert/strict";
import { runAll } from "./collect.ts";
import { browserProfiles } from "../../client/browser.ts";
import { fromBase64 } from "../../client/bytes.ts";
import { join } from "../../client/join.ts";
import { formatLink } from "../../client/link.ts";
import { ProfileError } from "../../client/profile.ts";
import { lostAfter, TestServer } from "../v2_server.ts";

const { profile } = new TestServer();
let count = 0;

/** A database that no other test uses. */
function freshName(): string {
  return `test-${count++}`;
}

// deno-lint-ignore no-explicit-any -- IndexedDB has no types here
type Any = any;

/** All records of a store, by what the browser itself has. */
async function records(
  database: string,
  store: string,
  change?: (record: Any) => Any,
): Promise<Any[]> {
  const { indexedDB } = globalThis as Any;
  const done = (request: Any): Promise<Any> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const db = await done(indexedDB.open(database));
  const stored = db.transaction([store], "readwrite").objectStore(store);
  const keys = await done(stored.getAllKeys());
  const all = [];
  for (const key of keys) {
    const record = await done(stored.get(key));
    all.push(record);
    if (change !== undefined) await done(stored.put(change(record), key));
  }
  db.close();
  return all;
}

async function errorOf(action: Promise<unknown>): Promise<string> {
  const error = await action.then(() => assert.fail("no error"), (reason) => reason);
  assert.ok(error instanceof ProfileError, String(error));
  assert.ok(!error.message.includes(profile.privateKey));
  return error.message;
}

Deno.test("save() and load() in a page", async () => {
  const profiles = browserProfiles(freshName());
  assert.deepEqual(await profiles.list(), []);
  await profiles.save("home", profile);
  await profiles.save("a", profile);
  assert.deepEqual(await profiles.load("home"), { ...profile, name: "home" });
  assert.deepEqual(await profiles.list(), ["a", "home"]);
  await profiles.remove("a");
  await profiles.remove("a");
  assert.deepEqual(await profiles.list(), ["home"]);
  assert.match(await errorOf(profiles.load("a")), /Cannot find profile a/);
});

Deno.test("an existing profile is replaced only when that is asked for", async () => {
  const profiles = browserProfiles(freshName());
  await profiles.save("home", profile);
  const other = { ...profile, url: "https://other.example/v2" };
  assert.match(await errorOf(profiles.save("home", other)), /it exists already/);
  assert.equal((await profiles.load("home")).url, profile.url);
  await profiles.save("home", other, { replace: true });
  assert.equal((await profiles.load("home")).url, other.url);
});

Deno.test("the private key is not in the database, and its key cannot be taken out", async () => {
  const name = freshName();
  await browserProfiles(name).save("home", profile);
  const [kept] = await records(name, "profiles");
  assert.ok(!JSON.stringify(kept).includes(profile.privateKey));
  const bytes = atob(profile.privateKey);
  const sealed = String.fromCharCode(...kept.sealedKey);
  assert.ok(!sealed.includes(bytes.slice(0, 8)));
  const [key] = await records(name, "keys");
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("raw", key));
});

Deno.test("a record that was changed is not used", async () => {
  const url = "https://evil.example/v2";
  const rows = [
    (record: Record<string, unknown>) => ({ ...record, url }),
    (record: Record<string, unknown>) => ({ ...record, serverKey: `${"B".repeat(43)}=` }),
    (record: { sealedKey: Uint8Array }) => ({ ...record, sealedKey: record.sealedKey.slice(1) }),
  ];
  for (const change of rows) {
    const name = freshName();
    await browserProfiles(name).save("home", profile);
    await records(name, "profiles", change);
    assert.match(await errorOf(browserProfiles(name).load("home")), /it was changed/);
  }
});

Deno.test("ten pages at once use one wrapping key", async () => {
  const name = freshName();
  const names = Array.from({ length: 10 }, (_, i) => `p${i}`);
  await Promise.all(names.map((each) => browserProfiles(name).save(each, profile)));
  for (const each of names) {
    assert.equal((await browserProfiles(name).load(each)).privateKey, profile.privateKey);
  }
  assert.equal((await records(name, "keys")).length, 1);
});

Deno.test("join() keeps its key pair in the page, and uses it again", async () => {
  const server = new TestServer();
  server.invites.set("A".repeat(22), "");
  server.fates.push(lostAfter, lostAfter, lostAfter);
  const profiles = browserProfiles(freshName());
  const link = formatLink({
    url: "http://test.invalid",
    serverKey: fromBase64(server.profile.serverKey) ?? assert.fail("no key"),
    token: new Uint8Array(16),
  });
  const options = { profiles, profile: "home", fetch: server.fetch };
  await join(link, options).then(() => assert.fail("no error"), () => {});
  const kept = await profiles.load("home");
  const joined = await join(link, options);
  assert.equal(joined.profile.privateKey, kept.privateKey);
  assert.equal(joined.wasKept, true);
});

const outcome = await runAll();
await fetch("/outcome", { method: "POST", body: JSON.stringify(outcome) });
