// Calls a function of a Mini Share Point server: node client.mjs PROFILE FUNCTION [PARAMS]
// PROFILE is the name of one that `msp join` or `msp profile add` made, PARAMS a JSON object.
// Needs Node 20.19 and `npm install mini-share-point`.
import { CallError, connect } from "mini-share-point";
import { fileProfiles } from "mini-share-point/file";

const [profile, functionName, params = "{}"] = process.argv.slice(2);
if (functionName === undefined) {
  console.error("usage: node client.mjs PROFILE FUNCTION [PARAMS]");
  process.exit(2);
}

try {
  const server = await connect(await fileProfiles().load(profile), { timeoutMs: 10_000 });
  const result = await server.call(functionName, JSON.parse(params));
  console.log(typeof result === "string" ? result : JSON.stringify(result));
} catch (error) {
  const ref = error.ref === undefined ? "" : `, ref ${error.ref}`;
  const facts = error instanceof CallError ? ` (executed: ${error.executed}${ref})` : "";
  console.error(`client.mjs: ${error.message}${facts}`);
  process.exitCode = 1;
}
