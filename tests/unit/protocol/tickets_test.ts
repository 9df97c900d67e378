import assert from "node:assert/strict";
import { readCall } from "../../../client/messages.ts";
import { Tickets } from "../../../lib/protocol/tickets.ts";
import { randomFrom } from "../../random.ts";
import { hex, IMPLEMENTATIONS, VECTORS } from "../../v2_vectors.ts";

const { cipher } = IMPLEMENTATIONS[1] ?? {};
assert.ok(cipher);
const sodium = cipher;

type Bytes = Uint8Array<ArrayBuffer>;

/** A ring with a clock that the test moves. */
function ringOf(ticketsPerClient = 16): {
  tickets: Tickets;
  wait: (seconds: number) => void;
  issueTo: (client?: number) => ReturnType<Tickets["issue"]>;
  keys: Bytes[];
} {
  let now = 0;
  const keys: Bytes[] = [];
  const tickets = new Tickets({
    cipher: sodium,
    lifetimeSeconds: 100,
    ticketsPerClient,
    clock: () => now,
    randomBytes: (length) => {
      const bytes = crypto.getRandomValues(new Uint8Array(length));
      if (length === 32) keys.push(bytes);
      return bytes;
    },
  });
  return {
    tickets,
    keys,
    wait: (seconds) => void (now += seconds * 1000),
    issueTo: (client = 1) =>
      tickets.issue({
        publicKey: new Uint8Array(32).fill(client),
        callKey: new Uint8Array(32).fill(100),
        answerKey: new Uint8Array(32).fill(200),
      }),
  };
}

function use(tickets: Tickets, ticket: Bytes, number: number): string {
  const opened = tickets.open(ticket);
  return opened === undefined ? "closed" : tickets.use(opened, number);
}

Deno.test("use() accepts each of the 65,536 numbers once, in any order", () => {
  const { tickets, issueTo } = ringOf();
  const opened = tickets.open(issueTo().ticket);
  assert.ok(opened);
  const numbers = Array.from({ length: 65_536 }, (_, i) => i);
  const random = randomFrom(7);
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j] ?? 0, numbers[i] ?? 0];
  }
  for (const number of numbers) assert.equal(tickets.use(opened, number), "fresh");
  for (const number of numbers) assert.equal(tickets.use(opened, number), "seen");
  assert.deepEqual(tickets.fill, { clients: 1, tickets: 1, bytes: 8192 });
});

Deno.test("a ticket that is used a little takes 32 bytes, and more only where it must", () => {
  const { tickets, issueTo } = ringOf();
  const { ticket } = issueTo();
  const rows = [[0, 32], [255, 32], [256, 64], [511, 64], [512, 128], [65_535, 8192]] as const;
  for (const [number, bytes] of rows) {
    assert.equal(use(tickets, ticket, number), "fresh");
    assert.equal(tickets.fill.bytes, bytes, `after ${number}`);
    assert.equal(use(tickets, ticket, number), "seen");
  }
});

Deno.test("an unused ticket leaves no state", () => {
  const { tickets, issueTo } = ringOf();
  for (let i = 0; i < 1000; i++) tickets.open(issueTo(i % 256).ticket);
  assert.deepEqual(tickets.fill, { clients: 0, tickets: 0, bytes: 0 });
});

Deno.test("the 17th used ticket retires the oldest, for good", () => {
  const { tickets, issueTo } = ringOf();
  const all = Array.from({ length: 17 }, () => issueTo().ticket);
  const [first, second, ...others] = all;
  assert.ok(first && second);
  for (const ticket of all.slice(0, 16)) assert.equal(use(tickets, ticket, 0), "fresh");
  assert.equal(use(tickets, first, 1), "fresh", "16 may be in use");
  assert.equal(use(tickets, all[16] ?? first, 0), "fresh");
  assert.equal(use(tickets, first, 0), "retired");
  assert.equal(use(tickets, first, 2), "retired", "also with a number that was never used");
  const opened = tickets.open(first);
  assert.ok(opened && tickets.isRetired(opened));
  for (const ticket of [second, ...others]) assert.equal(use(tickets, ticket, 0), "seen");
  assert.equal(tickets.fill.tickets, 16);
});

Deno.test("a ticket older than all used ones is retired by its own first use", () => {
  const { tickets, issueTo } = ringOf(2);
  const [oldest, a, b] = Array.from({ length: 3 }, () => issueTo().ticket);
  assert.ok(oldest && a && b);
  assert.equal(use(tickets, a, 0), "fresh");
  assert.equal(use(tickets, b, 0), "fresh");
  assert.equal(use(tickets, oldest, 0), "retired");
  assert.equal(use(tickets, a, 0), "seen");
  assert.equal(use(tickets, b, 0), "seen");
});

Deno.test("tickets of other clients are not affected", () => {
  const { tickets, issueTo } = ringOf(1);
  const a = issueTo(1).ticket, b = issueTo(2).ticket;
  assert.equal(use(tickets, a, 0), "fresh");
  assert.equal(use(tickets, b, 0), "fresh");
  assert.equal(use(tickets, a, 0), "seen");
  assert.equal(tickets.fill.clients, 2);
});

Deno.test("a ticket lives as long as its key: one lifetime as the current one, one as the previous", () => {
  const { tickets, issueTo, wait, keys } = ringOf();
  const first = issueTo();
  assert.equal(first.lifetimeSeconds, 200);
  wait(99.5);
  const second = issueTo();
  assert.equal(second.lifetimeSeconds, 100, "rounded down");
  assert.equal(keys.length, 1);
  wait(0.5);
  const third = issueTo();
  assert.equal(third.lifetimeSeconds, 200);
  assert.equal(keys.length, 2);
  wait(99.9);
  for (const { ticket } of [first, second, third]) assert.equal(use(tickets, ticket, 0), "fresh");
  wait(0.1);
  assert.equal(use(tickets, first.ticket, 1), "closed");
  assert.equal(use(tickets, second.ticket, 1), "closed");
  assert.equal(use(tickets, third.ticket, 1), "fresh");
  assert.deepEqual(keys[0], new Uint8Array(32), "wiped");
  assert.deepEqual(tickets.fill, { clients: 1, tickets: 1, bytes: 32 });
});

Deno.test("dropOldKeys() forgets keys and clients without recent calls", () => {
  const { tickets, issueTo, wait, keys } = ringOf();
  const { ticket } = issueTo();
  assert.equal(use(tickets, ticket, 0), "fresh");
  wait(199);
  tickets.dropOldKeys();
  assert.equal(tickets.fill.clients, 1);
  wait(1);
  tickets.dropOldKeys();
  assert.deepEqual(tickets.fill, { clients: 0, tickets: 0, bytes: 0 });
  assert.deepEqual(keys[0], new Uint8Array(32));
});

Deno.test("a ticket that was opened before its key went cannot be used after", () => {
  const { tickets, issueTo, wait } = ringOf();
  const opened = tickets.open(issueTo().ticket);
  assert.ok(opened);
  assert.equal(tickets.use(opened, 0), "fresh");
  wait(200);
  tickets.dropOldKeys();
  assert.equal(tickets.use(opened, 0), "retired");
  assert.equal(tickets.fill.clients, 0);
});

Deno.test("close() wipes all keys", () => {
  const { tickets, issueTo, wait, keys } = ringOf();
  const { ticket } = issueTo();
  wait(150);
  issueTo();
  tickets.close();
  for (const key of keys) assert.deepEqual(key, new Uint8Array(32));
  assert.equal(keys.length, 2);
  assert.equal(use(tickets, ticket, 0), "closed");
});

Deno.test("forgetting never lets anything in twice: random clients, tickets, numbers and waits", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomFrom(seed);
    const { tickets, issueTo, wait } = ringOf(3);
    const issued: Bytes[] = [];
    const accepted = new Set<string>();
    for (let step = 0; step < 3000; step++) {
      const dice = random();
      if (dice < 0.1) issued.push(issueTo(Math.floor(random() * 3)).ticket);
      else if (dice < 0.15) wait(random() * 40);
      else {
        const index = Math.floor(random() * issued.length);
        const ticket = issued[index];
        if (ticket === undefined) continue;
        const number = Math.floor(random() * 4);
        if (use(tickets, ticket, number) !== "fresh") continue;
        const name = `${index}/${number}`;
        assert.ok(!accepted.has(name), `seed ${seed}: ${name} was accepted twice`);
        accepted.add(name);
      }
    }
    assert.ok(accepted.size > 50, "the test did something");
  }
});

/** Which check refuses a call of the vectors, with their key of tickets; "accepted" when none does. */
function refusedBy(tickets: Tickets, body: Uint8Array): string {
  const call = readCall(body);
  if (call === undefined) return "form";
  const opened = tickets.open(call.ticket);
  if (opened === undefined) return "ticket";
  if (tickets.isRetired(opened)) return "floor";
  const [client, ...key] = [VECTORS.client_pub, ...opened.publicKey];
  if (hex(client).some((byte, i) => byte !== key[i])) return "not registered";
  const { nonce, ad, sealed, number } = call;
  if (sodium.open(opened.callKey, nonce, { ad, sealed }) === undefined) return "call";
  if (number >= 65_536) return "number";
  return tickets.use(opened, number) === "fresh" ? "accepted" : "number";
}

const REFUSED_CALLS: Readonly<Record<string, string>> = {
  "seen before (deliver calls[0] first)": "number",
  "number in use (deliver calls[0] first)": "number",
  "number too large": "number",
  "unknown ticket key": "ticket",
  "forged ticket": "ticket",
  "client not registered": "not registered",
  "ticket changed": "ticket",
  "nonce changed": "call",
  "text changed": "call",
  "sealed by the server's key": "call",
  "ticket length beyond the body": "form",
  "ticket of length 0": "ticket",
  "too short": "form",
};

Deno.test("every refused call of the vectors is refused by the right check", () => {
  const random = [VECTORS.ticket_kid, VECTORS.ticket_key, "00".repeat(24)];
  const tickets = new Tickets({
    cipher: sodium,
    lifetimeSeconds: 3600,
    ticketsPerClient: 16,
    clock: () => 0,
    randomBytes: () => hex(random.shift() ?? ""),
  });
  const nobody = new Uint8Array(32);
  tickets.issue({ publicKey: nobody, callKey: nobody, answerKey: nobody });
  for (const { call } of VECTORS.calls) assert.equal(refusedBy(tickets, hex(call)), "accepted");
  assert.equal(VECTORS.refused_calls.length, Object.keys(REFUSED_CALLS).length);
  for (const { kind, call } of VECTORS.refused_calls) {
    assert.equal(refusedBy(tickets, hex(call)), REFUSED_CALLS[kind], kind);
  }
});
