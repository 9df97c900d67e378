/**
 * @module
 * The program as few files of JavaScript, for the executable.
 */
import { stop, transform } from "esbuild";
import { join } from "node:path";
import { ROOTS, runBundler } from "./bundle.ts";

/** Packages that others can use, and do not need. */
const OPTIONAL = ["@node-rs/xxhash"];

/**
 * Writes the program as JavaScript, with everything that it imports: the parts that commands, functions
 * and workers share are files of their own. An executable reads all of its files at every start, and a
 * server starts it three times until the first function runs: as many sources and packages it would take
 * three times as much memory and twice the time.
 *
 * @param folder where the files go
 * @returns the files that {@link ROOTS} became
 */
export async function bundleProgram(folder: string): Promise<[string, string]> {
  await runBundler([
    "--code-splitting",
    `--outdir=${folder}`,
    ...OPTIONAL.map((name) => `--external=${name}`),
    ...ROOTS,
  ]);
  await minify(folder);
  await stop();
  await forgetTimes(folder);
  const [main, worker] = ROOTS;
  const compiled = (root: string): string => join(folder, root.replace(/\.ts$/, ".js"));
  return [compiled(main), compiled(worker)];
}

/**
 * Takes white space and long names out of the files of a folder. Not with `deno bundle --minify`: its
 * esbuild is so old that it takes a `using` away with which a lock is given back.
 */
async function minify(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) {
      await minify(path);
      continue;
    }
    const { code } = await transform(await Deno.readTextFile(path), {
      minifyWhitespace: true,
      minifyIdentifiers: true,
      legalComments: "none",
      format: "esm",
      target: "esnext",
    });
    await Deno.writeTextFile(path, code);
  }
}

/** The compiler puts the times of files into the executable; the same commit gives the same bytes. */
async function forgetTimes(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await forgetTimes(path);
    await Deno.utime(path, 0, 0);
  }
}
