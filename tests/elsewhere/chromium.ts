/**
 * @module
 * A page in a real Chromium, without a window, and a server for its files.
 */
import { repositoryPath } from "../../tasks/root.ts";
import { run } from "../program.ts";

const ROOT = repositoryPath("");
const TIMEOUT_MS = 120_000;

/** Bundles a file for pages; `node:` imports stay. */
export async function bundle(
  path: string,
  target: string,
  flags: readonly string[] = [],
  cwd = ROOT,
): Promise<void> {
  const options = ["--quiet", "--platform", "browser", ...flags, "-o", target];
  const line = [Deno.execPath(), "bundle", ...options, path];
  const { code, err } = await run(line, { cwd });
  if (code !== 0) throw new Error(err);
}

/** Answers a request of the page; `undefined` for files and for the outcome. */
export type PageHandler = (request: Request) => Promise<Response> | undefined;

/**
 * Opens a page whose script is in a file, and gives what the page posts to `/outcome`.
 *
 * @param imports of the page's import map: specifier → file
 */
export async function runPage(
  script: string,
  imports: Readonly<Record<string, string>> = {},
  handler: PageHandler = () => undefined,
): Promise<string> {
  const profile = await Deno.makeTempDir({ prefix: "msp-test-" });
  const { promise: outcome, resolve, reject } = Promise.withResolvers<string>();
  const names = Object.entries(imports).map(([name], i) => [name, `/import${i}.js`] as const);
  const files = Object.values(imports);
  const page = `<!doctype html><meta charset="utf-8">
<script type="importmap">${JSON.stringify({ imports: Object.fromEntries(names) })}</script>
<script>
onerror = (message) => fetch("/outcome", { method: "POST", body: JSON.stringify({ failed: [message] }) });
onunhandledrejection = ({ reason }) => onerror(String(reason?.stack ?? reason));
</script>
<script type="module" src="/script.js"></script>`;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const answered = handler(request);
      if (answered !== undefined) return await answered;
      const { pathname } = new URL(request.url);
      if (pathname === "/outcome") resolve(await request.text());
      const file = pathname === "/script.js"
        ? script
        : files[Number(/^\/import(\d+)/.exec(pathname)?.[1])];
      return file === undefined
        ? new Response(page, { headers: { "content-type": "text/html" } })
        : new Response(await Deno.readTextFile(file), {
          headers: { "content-type": "text/javascript" },
        });
    },
  );
  const timer = setTimeout(() => reject(new Error("the page did not finish")), TIMEOUT_MS);
  const browser = new Deno.Command("chromium", {
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.addr.port}/`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    return await outcome;
  } finally {
    clearTimeout(timer);
    browser.kill("SIGKILL");
    await browser.status;
    await server.shutdown();
    await removeProfile(profile);
  }
}

/** Processes that Chromium started may write for a moment after it was killed. */
async function removeProfile(path: string): Promise<void> {
  for (let attempts = 1;; attempts++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (attempts === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
