/**
 * Every vector of protocol v2, both ways, with the primitives of the client and with those of the server.
 * The vectors were made with another implementation.
 */
import assert from "node:assert/strict";
import { concat, toBase64, toHex } from "../../../client/bytes.ts";
import {
  callNonce,
  callReference,
  decodeUtf8,
  helloReference,
  keyIdOf,
  openAnswer,
  padText,
  prologueOf,
  readCall,
  readHello,
  readWelcomePayload,
  sealAnswer,
  sealCall,
  WELCOME_STATUSES,
  writeHello,
  writeWelcomePayload,
} from "../../../client/messages.ts";
import { Initiator, Responder } from "../../../client/noise_ik.ts";
import { Tickets } from "../../../lib/protocol/tickets.ts";
import { hex, type Implementation, IMPLEMENTATIONS, VECTORS } from "../../v2_vectors.ts";

const SERVER_PUBLIC_KEY = hex(VECTORS.server_pub);
const KEY_ID = hex(VECTORS.key_id);

/** Where a server stops reading a hello; "accepted" when it does not. */
function readAsServer({ primitives, pairOf }: Implementation, body: Uint8Array): string {
  const hello = readHello(body);
  if (hello === undefined) return "form";
  if (toHex(hello.keyId) !== VECTORS.key_id) return "key id";
  const responder = new Responder({
    primitives,
    staticPair: pairOf(hex(VECTORS.server_key)),
    prologue: prologueOf(hello.keyId),
  });
  const sender = responder.readSender(hello.noise);
  if (sender === undefined) return "s";
  if (toHex(sender) !== VECTORS.client_pub) return "not registered";
  return responder.readPayload() === undefined ? "payload" : "accepted";
}

const REFUSED_HELLOS: Readonly<Record<string, string>> = {
  "unknown sender": "not registered",
  "unknown key id": "key id",
  "too short": "form",
  "kind and nothing": "form",
  "empty": "form",
  "another kind": "form",
  "e changed": "s",
  "e of low order": "s",
  "s changed": "s",
  "payload changed": "payload",
  "trailing byte": "payload",
  "key id changed": "key id",
  "for another server": "key id",
};

Deno.test("the vectors are all there", () => {
  const { handshakes, calls, refused_hellos, refused_calls, bad_answers, counts } = VECTORS;
  assert.deepEqual(counts, {
    handshakes: 5,
    calls: 5,
    refused_hellos: 13,
    refused_calls: 13,
    bad_answers: 6,
  });
  assert.equal(handshakes.length, 5);
  assert.equal(calls.length, 5);
  assert.equal(refused_hellos.length, 13);
  assert.equal(refused_calls.length, 13);
  assert.equal(bad_answers.length, 6);
});

for (const implementation of IMPLEMENTATIONS) {
  const { name, primitives, cipher, pairOf } = implementation;
  const server = pairOf(hex(VECTORS.server_key));
  const client = pairOf(hex(VECTORS.client_key));

  Deno.test(`${name}: public keys and the key id`, () => {
    assert.equal(toHex(server.publicKey), VECTORS.server_pub);
    assert.equal(toHex(client.publicKey), VECTORS.client_pub);
    assert.equal(toHex(keyIdOf(server.publicKey, primitives.hash)), VECTORS.key_id);
  });

  VECTORS.handshakes.forEach((vector, i) => {
    const payload = new TextEncoder().encode(vector.payload);
    const { keyId = KEY_ID, noise = KEY_ID } = readHello(hex(vector.hello)) ?? {};

    Deno.test(`${name}: handshake ${i} as client`, () => {
      const initiator = new Initiator(
        { primitives, staticPair: client, prologue: prologueOf(KEY_ID) },
        { responderKey: SERVER_PUBLIC_KEY, ephemeral: pairOf(hex(vector.e)) },
      );
      const first = initiator.writeFirst(payload);
      assert.ok(first);
      assert.equal(toHex(writeHello(KEY_ID, first)), vector.hello);
      assert.equal(helloReference(hex(vector.hello)), vector.reference);
      const second = initiator.readSecond(hex(vector.welcome).subarray(1));
      assert.ok(second);
      assert.equal(toHex(second.keys.toResponder), vector.k1);
      assert.equal(toHex(second.keys.toInitiator), vector.k2);
      assert.equal(toHex(second.hash), vector.handshake_hash);
      assert.deepEqual(readWelcomePayload(second.payload), {
        status: WELCOME_STATUSES[vector.status],
        lifetimeSeconds: vector.lifetime_s,
        timeMs: vector.time_ms,
        ticket: hex(vector.ticket),
        info: vector.info,
      });
    });

    Deno.test(`${name}: handshake ${i} as server`, () => {
      const prologue = prologueOf(keyId);
      for (const kept of [undefined, server.agree(client.publicKey)]) {
        const responder = new Responder({ primitives, staticPair: server, prologue });
        assert.equal(toHex(responder.readSender(noise) ?? KEY_ID), VECTORS.client_pub);
        assert.equal(decodeUtf8(responder.readPayload(kept) ?? KEY_ID), vector.payload);
        const ephemeral = pairOf(hex(vector.server_e));
        const keys = responder.agree(ephemeral);
        assert.ok(keys);
        assert.equal(toHex(keys.toResponder), vector.k1);
        assert.equal(toHex(keys.toInitiator), vector.k2);
        const { sealed, hash } = responder.writePayload(writeWelcomePayload({
          status: WELCOME_STATUSES[vector.status] ?? "welcome",
          lifetimeSeconds: vector.lifetime_s,
          timeMs: vector.time_ms,
          ticket: hex(vector.ticket),
          info: vector.info,
        }));
        assert.equal(
          toHex(concat(Uint8Array.of(2), ephemeral.publicKey, sealed)),
          vector.welcome,
        );
        assert.equal(toHex(hash), vector.handshake_hash);
      }
    });

    if (vector.ticket === "") return;
    Deno.test(`${name}: the ticket of handshake ${i} is issued and opened`, () => {
      const { tickets, issue } = ticketsOf(implementation, vector.serial, vector.ticket_nonce);
      const session = {
        publicKey: client.publicKey,
        callKey: hex(vector.k1),
        answerKey: hex(vector.k2),
      };
      assert.equal(toHex(issue(session).ticket), vector.ticket);
      assert.deepEqual(tickets.open(hex(vector.ticket)), {
        ...session,
        serial: vector.serial,
        kid: parseInt(VECTORS.ticket_kid, 16),
        clientName: toBase64(client.publicKey),
      });
    });
  });

  VECTORS.calls.forEach((vector, i) => {
    const { k1, k2, ticket } = VECTORS.handshakes[vector.handshake] ?? {};
    const nonce = callNonce(vector.n, hex(vector.random));
    const key = hex(k1 ?? "");
    const answerKey = hex(k2 ?? "");

    Deno.test(`${name}: call ${i} both ways`, () => {
      const plaintext = padText(vector.request);
      assert.equal(
        toHex(sealCall(cipher, key, { ticket: hex(ticket ?? ""), nonce, plaintext })),
        vector.call,
      );
      const call = readCall(hex(vector.call));
      assert.ok(call);
      assert.equal(toHex(call.ticket), ticket);
      assert.equal(call.number, vector.n);
      assert.equal(callReference(call.nonce), vector.reference);
      const { ad, sealed } = call;
      assert.deepEqual(cipher.open(key, call.nonce, { ad, sealed }), plaintext);
    });

    Deno.test(`${name}: answer ${i} both ways`, () => {
      const plaintext = padText(vector.response);
      const content = { callNonce: nonce, nonce: hex(vector.answer_nonce), plaintext };
      assert.equal(toHex(sealAnswer(cipher, answerKey, content)), vector.answer);
      const opened = openAnswer(cipher, answerKey, { callNonce: nonce, body: hex(vector.answer) });
      assert.deepEqual(opened, plaintext);
    });
  });

  for (const { kind, hello } of VECTORS.refused_hellos) {
    Deno.test(`${name}: a hello is refused: ${kind}`, () => {
      assert.equal(readAsServer(implementation, hex(hello)), REFUSED_HELLOS[kind]);
    });
  }

  for (const { kind, to_call, answer } of VECTORS.bad_answers) {
    Deno.test(`${name}: an answer is refused: ${kind}`, () => {
      const { n = 0, random = "", handshake = 0 } = VECTORS.calls[to_call] ?? {};
      const key = hex(VECTORS.handshakes[handshake]?.k2 ?? "");
      const nonce = callNonce(n, hex(random));
      assert.equal(openAnswer(cipher, key, { callNonce: nonce, body: hex(answer) }), undefined);
    });
  }
}

/** Tickets with the key of the vectors, the next of which has this serial and nonce. */
function ticketsOf(
  { cipher }: Implementation,
  serial: number,
  nonce: string,
): { tickets: Tickets; issue: Tickets["issue"] } {
  const random = [VECTORS.ticket_kid, VECTORS.ticket_key];
  const tickets = new Tickets({
    cipher,
    lifetimeSeconds: 3600,
    ticketsPerClient: 16,
    clock: () => 0,
    randomBytes: (length) => hex(random.shift() ?? nonce).slice(0, length),
  });
  const nobody = new Uint8Array(32);
  for (let i = 1; i < serial; i++) {
    tickets.issue({ publicKey: nobody, callKey: nobody, answerKey: nobody });
  }
  return { tickets, issue: (session) => tickets.issue(session) };
}
