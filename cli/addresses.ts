/**
 * @module
 * The addresses of this machine, for a person who has to name one.
 */
import { isIP } from "node:net";
import type { ListenSettings } from "../lib/config/settings.ts";

/** An address of an interface, and whether other machines reach it. */
interface MachineAddress {
  readonly address: string;
  readonly name: string;
}

/**
 * URLs under which other machines may reach a server on this one; empty where they cannot be told.
 *
 * @param listen where it listens
 */
export function machineUrls({ port, tls, socket }: ListenSettings): string[] {
  if (socket !== undefined) return [];
  const [scheme, usual] = tls === undefined ? ["http", 80] : ["https", 443];
  const ending = port === usual ? "" : `:${port}`;
  return machineAddresses().map((address) => `${scheme}://${address}${ending}`);
}

function machineAddresses(): string[] {
  let found: readonly MachineAddress[];
  try {
    found = Deno.networkInterfaces();
  } catch {
    return [];
  }
  const texts = found
    .map(({ address }) => address.toLowerCase())
    .filter((address) => !/^(?:127\.|::1$|fe80:|169\.254\.)/.test(address))
    .map((address) => isIP(address) === 6 ? `[${address}]` : address);
  // IPv4 first: these are shorter to type.
  return [...new Set(texts)].sort((a, b) => Number(a.startsWith("[")) - Number(b.startsWith("[")));
}
