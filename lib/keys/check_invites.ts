/**
 * @module
 * What may be wrong with invites, and which are open.
 */
import type { StorePaths } from "../config/settings.ts";
import { exists } from "../files.ts";
import { attempt, type Finding } from "./findings.ts";
import { invitePath, invitesFolder, listInvites, stateOf } from "./invite_files.ts";
import { timeText } from "../prose.ts";

/** Invites that are open, files that hold something else, files that others can read. */
export async function checkInvites(paths: StorePaths, nowSeconds: number): Promise<Finding[]> {
  if (!await exists(invitesFolder(paths))) return [];
  const listed = await attempt(() => listInvites(paths));
  if ("finding" in listed) return [listed.finding];
  const { invites, faults } = listed.value;
  const findings: Finding[] = faults.map(({ path, state }) => ({
    level: "wrong",
    what: `${path}: ${state}`,
    remedy: `rm ${path}, and make another invite`,
  }));
  for (const invite of invites) {
    const path = invitePath(paths, invite.id);
    const mode = (await Deno.stat(path).catch(() => undefined))?.mode ?? 0;
    if ((mode & 0o077) !== 0) {
      findings.push({
        level: "wrong",
        what: `${path}: others can read it`,
        remedy: `chmod 600 ${path}`,
      });
    }
    if (stateOf(invite, new Date(nowSeconds * 1000)) !== "open") continue;
    const { id, uses, redeemed, expires, rules: { name } } = invite;
    const who = name === undefined ? "" : ` (${name})`;
    const left = `${uses - redeemed.length} of ${uses}`;
    const until = timeText(expires.getTime() / 1000);
    findings.push({
      level: "note",
      what: `invite ${id}${who} is open until ${until}, uses left: ${left}`,
      remedy: `msp invites revoke ${id}, if nobody is to join with it any more`,
    });
  }
  return findings;
}
