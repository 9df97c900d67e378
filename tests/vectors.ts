/**
 * @module
 * The wire vectors, typed.
 */

/** tests/vectors/v1.json. */
export interface Vectors {
  readonly server: { readonly key: string; readonly pub: string };
  readonly clients: readonly {
    readonly key: string;
    readonly pub: string;
    readonly secret: string;
  }[];
  readonly requests: readonly {
    readonly name: string;
    readonly now: number;
    readonly body: unknown;
    readonly status: number;
    readonly why: string;
    readonly client?: number;
    readonly entry?: string;
  }[];
  readonly responses: readonly {
    readonly client: number;
    readonly nonce: string;
    readonly plain: string;
    readonly value: string;
  }[];
}

/** Reads them. */
export async function readVectors(): Promise<Vectors> {
  return JSON.parse(await Deno.readTextFile(new URL("vectors/v1.json", import.meta.url)));
}
