/**
 * @module
 * `msp invites`: lists invites with those who used them, and revokes one.
 */
import { fingerprintOf } from "../lib/crypto/digest.ts";
import { parsePublicKey } from "../lib/crypto/keys.ts";
import { type Invite, listInvites, type Redemption, stateOf } from "../lib/keys/invite_files.ts";
import { revokeInvite } from "../lib/keys/invites.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts, Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";
import { timeText } from "../lib/prose.ts";

const TEXTS = {
  name: "invites",
  summary: "list invites and who used them, revoke one",
  args: ["[revoke]", "[ID]"],
  flags: {
    json: {
      meaning:
        "print an array of objects: id, state, created, expires, uses, uses_left, name, functions, " +
        "key_seconds, clients",
    },
    ...CONFIG_FLAG,
  },
  description:
    `One line an invite: id, state (open, used, expired or revoked), end, uses that are left, and the name ` +
    `of the client. Below it, each client that joined with it: when, from where, its file and fingerprint. ` +
    `Invites are listed for 30 days after their end.

revoke makes an open invite useless. Clients that joined with it stay registered: remove them with msp ` +
    `removeclient.`,
  example: "msp invites",
} as const satisfies CommandTexts;

/** The command. */
export const invites = defineCommand({
  ...TEXTS,
  async run({ flags, args: [action, id] }, io): Promise<number> {
    const { settings: { store } } = await openStore(flags, io);
    const now = new Date();
    if (action !== undefined) {
      if (action !== "revoke") {
        throw wrongUsage(TEXTS, `${JSON.stringify(action.slice(0, 80))}, expected revoke`);
      }
      if (id === undefined) throw wrongUsage(TEXTS, "ID is missing");
      if (flags.json) throw wrongUsage(TEXTS, "--json is for the list");
      const invite = await revokeInvite(store, id, now);
      io.out(`Revoked invite ${invite.id}\n`);
      return 0;
    }
    const { invites, faults } = await listInvites(store);
    for (const { path, state } of faults) io.note(`${path}: ${state}, skipped`);
    if (flags.json) {
      io.out(`${JSON.stringify(invites.map((each) => toJson(each, now)), null, 2)}\n`);
    } else if (invites.length === 0) io.note("there are no invites");
    else showList(invites, now, io);
    return 0;
  },
});

const HEAD = ["ID", "STATE", "UNTIL", "LEFT", "NAME"];

function showList(invites: readonly Invite[], now: Date, io: Io): void {
  const rows = [
    HEAD,
    ...invites.map((invite) => [
      invite.id,
      stateOf(invite, now),
      shortTime(invite.expires),
      `${invite.uses - invite.redeemed.length} of ${invite.uses}`,
      invite.rules.name ?? "",
    ]),
  ];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  const [head = "", ...others] = lines;
  io.out(`${io.style.strong(head)}\n`);
  for (const [index, line] of others.entries()) {
    io.out(`${line}\n${invites[index]?.redeemed.map(describeUse).join("") ?? ""}`);
  }
}

function describeUse({ at, address, file, publicKeyBase64 }: Redemption): string {
  return `  used ${shortTime(at)} from ${address}: ${file} ${fingerprint(publicKeyBase64)}\n`;
}

function fingerprint(text: string): string {
  const key = parsePublicKey(text);
  return typeof key === "string" ? "" : fingerprintOf(key);
}

function shortTime(time: Date): string {
  return timeText(time.getTime() / 1000);
}

function toJson(invite: Invite, now: Date): unknown {
  const { id, created, expires, uses, redeemed, rules, keySeconds } = invite;
  return {
    id,
    state: stateOf(invite, now),
    created: created.toISOString(),
    expires: expires.toISOString(),
    uses,
    uses_left: Math.max(0, uses - redeemed.length),
    name: rules.name ?? null,
    functions: rules.functions ?? null,
    key_seconds: keySeconds ?? null,
    clients: redeemed.map(({ publicKeyBase64, file, address, at }) => ({
      public_key: publicKeyBase64,
      fingerprint: fingerprint(publicKeyBase64),
      file,
      address,
      at: at.toISOString(),
    })),
  };
}
