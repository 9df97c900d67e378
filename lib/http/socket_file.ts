/**
 * @module
 * The file of a Unix socket: one that a killed server left behind is removed, one that is in use is not.
 */
import { ConfigError, reasonOf } from "../errors.ts";

/**
 * Makes way for a socket.
 *
 * @throws {ConfigError} when a server answers there, or something that is no socket is there.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const refuse = (state: string, cause?: unknown): never => {
    throw new ConfigError(`Cannot listen on ${path}: ${state}`, {
      cause,
      hint: "choose another path in config.ini [Server] Socket",
    });
  };
  try {
    const { isSocket } = await Deno.lstat(path);
    if (isSocket !== true) refuse("what is there is no socket");
    if (await isAnswered(path)) refuse("another program listens there");
    await Deno.remove(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof ConfigError) throw error;
    refuse(reasonOf(error), error);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
