/**
 * @module
 * Invites as the administration commands make them: opens the key store of the settings, whether or not a
 * server has ever run, and gives the link.
 */
import { formatLink } from "../client/link.ts";
import type { Settings } from "./config/settings.ts";
import { StoreError } from "./errors.ts";
import { ensureStore } from "./first_start.ts";
import type { Invite } from "./keys/invite_files.ts";
import { createInvite, type InviteSpec } from "./keys/invites.ts";
import { refuseForeignStore } from "./keys/store_change.ts";

/** What to invite for, and what happens with the link. */
export interface InvitationOptions extends InviteSpec {
  /** Address of the server, as {@link formatLink} takes it. */
  readonly url: string;
  /** Gets invite and link before anything changes; when it throws, nothing does. */
  readonly show: (invite: Invite, link: string) => void | Promise<void>;
}

/**
 * Makes an invite.
 *
 * @returns the paths that had to be made for a new key store.
 * @throws {StoreError} when protocol v2 is off, or the store cannot be changed.
 * @throws {KeyFileError} when the server's keys cannot be used.
 */
export async function inviteClient(
  settings: Settings,
  { url, show, ...spec }: InvitationOptions,
): Promise<{ made: readonly string[] }> {
  if (!settings.v2.isEnabled) throw isOff();
  await refuseForeignStore(settings.store);
  const { pair2, made } = await ensureStore(settings);
  if (pair2 === undefined) throw isOff();
  const serverKey = pair2.publicKey;
  await createInvite(settings.store, spec, (invite, token) => {
    return show(invite, formatLink({ url, serverKey, token }));
  });
  return { made };
}

function isOff(): StoreError {
  return new StoreError("Cannot create an invite: protocol v2 is off", {
    hint: "remove Enabled=no from [V2] of config.ini, or register the client with msp appendclient",
  });
}
