/**
 * @module
 * `msp rotate-server-key`: new key pairs for the server.
 */
import type { StorePaths } from "../lib/config/settings.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { type ForEachPair, readPreviousKeys, rotateServerKeys } from "../lib/keys/server_keys.ts";
import type { PublicKey } from "../lib/crypto/keys.ts";
import type { Io } from "./command.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { defineCommand } from "./define.ts";
import { graceFlag, graceSeconds } from "./grace.ts";
import { CONFIG_FLAG, openStore } from "./paths.ts";
import { timeText } from "../lib/prose.ts";

/** The command. */
export const rotateServerKeyCommand = defineCommand({
  name: "rotate-server-key",
  summary: "replace the server's key pairs",
  args: [],
  flags: {
    ...graceFlag("the previous keys"),
    ...YES_FLAG,
    json: {
      meaning: "print one object: server_public_key, server2_public_key, previous_accepted_until",
    },
    ...CONFIG_FLAG,
  },
  description:
    `Prints the new public keys: clients of protocol v1 need the first as their server.pub, those of v2 ` +
    `the second. A running server uses them within a second. Without --grace, clients are refused until ` +
    `they have the new ones. Earlier keys whose grace goes on stay.

The keys are printed before they are stored: when they cannot be printed, nothing changes.`,
  example: "msp rotate-server-key --grace 48 --yes",
  async run({ flags }, io): Promise<number> {
    const grace = graceSeconds("rotate-server-key", flags.grace);
    const { settings: { store } } = await openStore(flags, io);
    if (!flags.yes && !confirm(io, `replace the server's keys in ${store.serverFolder}`)) return 1;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const until = grace > 0 ? new Date((nowSeconds + grace) * 1000).toISOString() : null;
    await rotateServerKeys(store, {
      graceSeconds: grace,
      nowSeconds,
      show: (keys) => show(keys, { isJson: flags.json, until }, io),
    });
    await tellPrevious(store, { nowSeconds, isKept: grace > 0 }, io);
    return 0;
  },
});

/** Says until when each previous key is accepted, those of earlier rotations too. */
async function tellPrevious(
  store: StorePaths,
  { nowSeconds, isKept }: { nowSeconds: number; isKept: boolean },
  io: Io,
): Promise<void> {
  const ends = (await readPreviousKeys(store, { nowSeconds }))
    .map(({ until }) => timeText(until));
  const [previous, ...earlier] = isKept ? ends : [undefined, ...ends];
  if (previous !== undefined) io.note(`the previous keys are accepted until ${previous}`);
  else io.note("the previous keys are refused from now on; only a backup brings them back");
  for (const end of earlier) io.note(`earlier keys are accepted until ${end}`);
}

function show(
  { server, server2 }: ForEachPair<PublicKey>,
  { isJson, until }: { isJson: boolean; until: string | null },
  io: Io,
): void {
  const key = formatKey(server);
  const key2 = server2 && formatKey(server2);
  if (isJson) {
    const object = {
      server_public_key: key,
      server2_public_key: key2 ?? null,
      previous_accepted_until: until,
    };
    io.out(`${JSON.stringify(object)}\n`);
    return;
  }
  const second = key2 === undefined ? "" : `Server public key for protocol v2:\n\t${key2}\n`;
  io.out(`Server public key:\n\t${key}\n${second}`);
}
