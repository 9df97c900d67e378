import assert from "node:assert/strict";
import { fromBase64 } from "../../../client/bytes.ts";
import { join, profileNameOf } from "../../../client/join.ts";
import { formatLink } from "../../../client/link.ts";
import { Connection } from "../../../client/mod.ts";
import { memoryProfiles } from "../../memory_profiles.ts";
import {
  changed,
  errorOf,
  lostAfter,
  lostBefore,
  notConnected,
  status,
  TestServer,
} from "../../v2_server.ts";

const TOKEN = "A".repeat(22);

function linkTo({ profile }: TestServer): string {
  return formatLink({
    url: "http://test.invalid",
    serverKey: fromBase64(profile.serverKey) ?? new Uint8Array(),
    token: new Uint8Array(16),
  });
}

function serverWithInvite(): TestServer {
  const server = new TestServer();
  server.invites.set(TOKEN, "");
  return server;
}

Deno.test("join() keeps a profile, then registers its key in one round trip", async () => {
  const server = serverWithInvite();
  const profiles = memoryProfiles();
  server.fates.push(async (deliver) => {
    assert.deepEqual(await profiles.list(), ["test"], "the key is kept before anything is sent");
    return await deliver();
  });
  const joined = await join(linkTo(server), { profiles, fetch: server.fetch, name: "laptop" });
  assert.equal(server.requests, 1);
  assert.deepEqual(server.payloads, [`{"invite":"${TOKEN}","name":"laptop"}`]);
  assert.deepEqual([joined.profileName, joined.wasKept, joined.v1], ["test", false, undefined]);
  assert.deepEqual(await profiles.load("test"), joined.profile);
  assert.equal(joined.profile.url, "http://test.invalid/v2");
});

Deno.test("join() repeats a hello whose answer is lost, with the same key", async () => {
  const server = serverWithInvite();
  server.fates.push(lostAfter, lostBefore);
  const profiles = memoryProfiles();
  await join(linkTo(server), { profiles, fetch: server.fetch });
  assert.deepEqual(server.payloads, [1, 2].map(() => `{"invite":"${TOKEN}"}`));

  // What failed for good is finished by the same link and profile.
  const second = serverWithInvite();
  second.fates.push(lostAfter, lostAfter, lostAfter);
  const error = await errorOf(
    join(linkTo(second), { profiles, profile: "b", fetch: second.fetch }),
  );
  assert.deepEqual([error.code, error.executed], ["unreachable", "maybe"]);
  const kept = await profiles.load("b");
  const again = await join(linkTo(second), { profiles, profile: "b", fetch: second.fetch });
  assert.equal(again.wasKept, true);
  assert.equal(again.profile.privateKey, kept.privateKey);
});

Deno.test("what join() does when it fails, and what it keeps", async () => {
  const cases = [
    { why: "used by another", token: "another", code: "refused", sent: 1, isKept: false },
    { why: "not known", token: undefined, code: "refused", sent: 1, isKept: true },
    { why: "no connection", fates: [notConnected], code: "unreachable", sent: 1, isKept: true },
    { why: "a proxy", fates: [status(404)], code: "protocol", sent: 1, isKept: true },
    {
      why: "an answer that was changed",
      fates: [changed((body) => body.fill(0, 80))],
      code: "protocol",
      sent: 1,
      isKept: true,
    },
  ] as const;
  for (const each of cases) {
    const server = new TestServer();
    const token = "token" in each ? each.token : "";
    if (token !== undefined) server.invites.set(TOKEN, token);
    if ("fates" in each) server.fates.push(...each.fates);
    const profiles = memoryProfiles();
    const error = await errorOf(join(linkTo(server), { profiles, fetch: server.fetch }));
    assert.deepEqual([error.code, server.requests], [each.code, each.sent], each.why);
    assert.equal((await profiles.list()).length, each.isKept ? 1 : 0, each.why);
  }
});

Deno.test("join() takes what the server gives for protocol v1, in the right form only", async () => {
  const secret = "ab".repeat(64), serverKey = `${"A".repeat(43)}=`;
  for (
    const [v1, expected] of [
      [{ secret, serverKey }, { secret, serverKey }],
      [{ secret: "x", serverKey }, undefined],
      [{ secret, serverKey: "x" }, undefined],
      ["x", undefined],
    ] as const
  ) {
    const server = serverWithInvite();
    server.welcome = { info: JSON.stringify({ v1 }) };
    const joined = await join(linkTo(server), {
      profiles: memoryProfiles(),
      fetch: server.fetch,
      v1: true,
    });
    assert.deepEqual(server.payloads, [`{"invite":"${TOKEN}","v1":true}`]);
    assert.deepEqual(joined.v1 && { ...joined.v1 }, expected);
  }
});

Deno.test("join() leaves the profile of another server alone, and uses that of the same one", async () => {
  const server = serverWithInvite();
  const profiles = memoryProfiles();
  await profiles.save("test", new TestServer().profile);
  const before = await profiles.load("test");
  await assert.rejects(
    join(linkTo(server), { profiles, fetch: server.fetch }),
    (error: unknown) => /profile test exists already, for another server/.test(String(error)),
  );
  assert.deepEqual(await profiles.load("test"), before);
  assert.equal(server.requests, 0);

  await profiles.save("own", server.profile);
  const joined = await join(linkTo(server), { profiles, profile: "own", fetch: server.fetch });
  assert.equal(joined.profile.privateKey, server.profile.privateKey);
  const home = new Connection(joined.profile, { fetch: server.fetch });
  assert.equal(await home.call("echo"), null);
});

Deno.test("join() keeps the address of the link, where the server has moved", async () => {
  const server = serverWithInvite();
  const profiles = memoryProfiles();
  await profiles.save("test", { ...server.profile, url: "http://old.invalid/v2" });
  await join(linkTo(server), { profiles, fetch: server.fetch });
  assert.equal((await profiles.load("test")).url, "http://test.invalid/v2");
  assert.equal((await profiles.load("test")).privateKey, server.profile.privateKey);
});

Deno.test("profileNameOf() is a name that a file can have", () => {
  const nameFor = (url: string): string => {
    return profileNameOf(
      formatLink({ url, serverKey: new Uint8Array(32), token: new Uint8Array(16) }),
    );
  };
  assert.equal(nameFor("https://nas.home.example"), "nas");
  assert.equal(nameFor("http://localhost:8000"), "localhost");
  for (const url of ["http://192.168.1.5", "http://[fd00::1]:80", "http://_x.example"]) {
    assert.equal(nameFor(url), "home");
  }
});
