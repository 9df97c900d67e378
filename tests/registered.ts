/**
 * @module
 * Clients registered with the real commands, and requests to a real server.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { openAnswer, sealRequest, type TestClient } from "./v1_client.ts";
import { mspOk, TempFolder } from "./program.ts";

/** Where the first client of a folder was registered, by name; for all tests of a file. */
const templates = new Map<string, Promise<{ folder: TempFolder; client: TestClient }>>();

const templatePaths: string[] = [];

addEventListener("unload", () => {
  for (const path of templatePaths) Deno.removeSync(path, { recursive: true });
});

/**
 * Makes keys NAME.key, NAME.pub, registers them, and writes NAME.secret and server.pub, as a user would.
 * In a folder without a key store and without flags, that was done before: it gets copies.
 */
export async function registerClient(
  folder: TempFolder,
  name = "client",
  flags: readonly string[] = [],
): Promise<TestClient> {
  const names = await folder.names();
  if (flags.length > 0 || names.includes("sec") || names.includes("config")) {
    return await register(folder, name, flags);
  }
  let template = templates.get(name);
  if (template === undefined) templates.set(name, template = makeTemplate(name));
  const made = await template;
  await copyInto(folder.path, made.folder.path);
  return made.client;
}

async function makeTemplate(name: string): Promise<{ folder: TempFolder; client: TestClient }> {
  const folder = await TempFolder.make();
  templatePaths.push(folder.path);
  return { folder, client: await register(folder, name, []) };
}

/** Copies files and folders with their modes. */
async function copyInto(target: string, source: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(source)) {
    const from = join(source, name), to = join(target, name);
    if (!isDirectory) {
      await Deno.copyFile(from, to);
      continue;
    }
    await Deno.mkdir(to, { mode: (await Deno.stat(from)).mode ?? 0o700 });
    await copyInto(to, from);
  }
}

async function register(
  folder: TempFolder,
  name: string,
  flags: readonly string[],
): Promise<TestClient> {
  const options = { cwd: folder.path };
  await mspOk(["keygen", "pair", name], options);
  const publicKey = await folder.read(`${name}.pub`);
  const { secret, server_public_key } = JSON.parse(
    await mspOk(["appendclient", publicKey, "--json", ...flags], options),
  );
  await folder.write(`${name}.secret`, secret);
  await Deno.chmod(folder.join(`${name}.secret`), 0o600);
  await folder.write("server.pub", server_public_key);
  return {
    secretKey: new Uint8Array(Buffer.from(await folder.read(`${name}.key`), "base64")),
    serverPublicKey: new Uint8Array(Buffer.from(server_public_key, "base64")),
    secretHex: secret,
  };
}

/** Posts a body to a server. */
export async function postTo(
  url: string,
  body: BodyInit,
  headers: Record<string, string> = {},
  client?: Deno.HttpClient,
): Promise<Response> {
  return await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
    ...(client === undefined ? {} : { client }),
  });
}

/** Calls a function; the answer, or the status when there is none. */
export async function callServer(
  url: string,
  client: TestClient,
  entry: string,
  headers: Record<string, string> = {},
  httpClient?: Deno.HttpClient,
): Promise<string | number> {
  const body = JSON.stringify(sealRequest(client, entry));
  const response = await postTo(url, body, headers, httpClient);
  const text = await response.text();
  return response.status === 200 ? openAnswer(client, text) : response.status;
}
