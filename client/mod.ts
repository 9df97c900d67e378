/**
 * @module
 * Mini Share Point for programs that call: connect to a server, call its functions with arguments. Runs in
 * Deno, Node, Bun and browsers.
 *
 * ```ts ignore
 * import { connect } from "mini-share-point";
 *
 * const home = await connect(profile);
 * await home.call("shopping_add", { item: "milk" });
 * ```
 */
export {
  type CallOptions,
  connect,
  Connection,
  type ConnectOptions,
  type FunctionInfo,
} from "./connection.ts";
export type { Clock } from "./deadline.ts";
export { CallError, type CallErrorCode, type CallErrorDetail, type Executed } from "./errors.ts";
export { join, type Joined, type JoinOptions } from "./join.ts";
export { LinkError } from "./link.ts";
export { type Profile, ProfileError, type ProfileStore } from "./profile.ts";
export type { BatchCall, CallOutcome, Params } from "./rpc.ts";
export type { Fetch } from "./transport.ts";
