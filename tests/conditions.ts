/**
 * @module
 * Tests that need something of the machine or of the program under test: where it is missing they are
 * skipped, and their names say why.
 */
import { run, TempFolder } from "./program.ts";

/**
 * Registers a test that needs something.
 *
 * @param condition whether it is there
 * @param reason what is missing when it is not; the name of the skipped test ends with it
 */
export function testIf(
  condition: boolean,
  reason: string,
  name: string,
  fn: () => void | Promise<void>,
): void {
  Deno.test({ name: condition ? name : `${name} (skipped: ${reason})`, ignore: !condition, fn });
}

/** Where Debian has programs; the PATH of a test may have others of the same name in front. */
const PROGRAM_FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** Whether a program is installed with the system. */
export function isInstalled(program: string): boolean {
  return PROGRAM_FOLDERS.some((folder) => isFile(`${folder}/${program}`));
}

/** Whether a file is there. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether a command succeeds here. */
export async function succeeds(...line: string[]): Promise<boolean> {
  return await run(line, { cwd: "/" }).then(({ code }) => code === 0, () => false);
}

/** Debian's Python, which has the packages that the tests need. */
export const PYTHON = "/usr/bin/python3";

/** Whether Debian's Python has some modules. */
export async function hasPython(...modules: string[]): Promise<boolean> {
  return await succeeds(PYTHON, "-c", `import ${modules.join(", ")}`);
}

/** Whether tests with large numbers take all of them, as those of a release do. */
export const IS_FULL = Deno.env.get("MSP_TEST_FULL") === "1";

/** Whether tests run as root. */
export const IS_ROOT = Deno.uid() === 0;

/** Whether file systems can be mounted here: as root, outside of an unprivileged container. */
export async function mayMount(): Promise<boolean> {
  if (!IS_ROOT) return false;
  await using folder = await TempFolder.make();
  const mounted = await succeeds("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder.path);
  return mounted && await succeeds("umount", folder.path);
}
