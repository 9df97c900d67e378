/**
 * A page that joins a server with an invite and calls its functions. Bundle it, and serve it from the
 * server's own origin, or from one that `[V2] AllowOrigins` lists:
 *
 *     npm install mini-share-point
 *     npx esbuild page.mjs --bundle --minify --format=esm --outfile=page.js
 */
import { CallError, connect, join } from "mini-share-point";
import { browserProfiles } from "mini-share-point/browser";

const PROFILE = "home";
const profiles = browserProfiles();

const find = (id) => document.getElementById(id);
const output = find("output");

/** Shows the functions that this browser may call. */
async function show(server) {
  const names = (await server.functions()).map(({ name }) => new Option(name));
  find("function").replaceChildren(...names);
  find("join").hidden = true;
  find("call").hidden = false;
  find("call").onsubmit = (event) => {
    event.preventDefault();
    const name = find("function").value;
    const params = find("params").value;
    attempt(async () => JSON.stringify(await server.call(name, JSON.parse(params))));
  };
}

/** Does something, and says what came of it. */
async function attempt(action) {
  output.textContent = "…";
  try {
    output.textContent = await action();
  } catch (error) {
    const executed = error instanceof CallError ? ` (executed: ${error.executed})` : "";
    output.textContent = `${error instanceof Error ? error.message : error}${executed}`;
  }
}

find("join").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    await join(find("link").value, { profiles, profile: PROFILE });
    await show(await connect(await profiles.load(PROFILE)));
    return "Joined";
  });
};

if ((await profiles.list()).includes(PROFILE)) {
  attempt(async () => {
    await show(await connect(await profiles.load(PROFILE)));
    return "Connected";
  });
}
