/**
 * @module
 * Clients registered with the real commands, and requests to a real server.
 */
import { Buffer } from "node:buffer";
import { openAnswer, sealRequest, type TestClient } from "./v1_client.ts";
import { mspOk, type TempFolder } from "./program.ts";

/** Makes keys NAME.key, NAME.pub, registers them, and writes NAME.secret and server.pub, as a user would. */
export async function registerClient(
  folder: TempFolder,
  name = "client",
  flags: readonly string[] = [],
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
