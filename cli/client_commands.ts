/**
 * @module
 * The commands of a client: they read and write keys and profiles wherever the user may. appendclient takes
 * and writes the files of a client, too, and invite a picture. Apart from the table of commands, because
 * permissions are given up before anything else is loaded.
 */

/** Names of these commands. All others run with the permissions of the server. */
export const CLIENT_COMMANDS: ReadonlySet<string> = new Set([
  "keygen",
  "appendclient",
  "invite",
  "join",
  "profile",
  "call",
  "describe",
  "types",
  "mcp",
]);
