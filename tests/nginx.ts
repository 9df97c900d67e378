/**
 * @module
 * The shipped configuration of nginx, with names and numbers that work in a test, in the real program.
 */
import assert from "node:assert/strict";
import { waitUntil } from "./functions.ts";
import { freePort, type TempFolder } from "./program.ts";

/** nginx in front of replicas, without TLS. */
export class Nginx {
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  private constructor(port: number, process: Deno.ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  /** Starts it with deploy/cluster/nginx.conf. */
  static async start(folder: TempFolder, backs: readonly number[]): Promise<Nginx> {
    const port = freePort();
    let site = await Deno.readTextFile(new URL("../deploy/cluster/nginx.conf", import.meta.url));
    const replace = (from: string | RegExp, to: string): void => {
      const next = site.replace(from, to);
      assert.notEqual(next, site, `nginx.conf has no ${from}`);
      site = next;
    };
    replace("listen 443 ssl", `listen 127.0.0.1:${port}`);
    replace(/ *ssl_\w+ [^;]*;\n/g, "");
    // A test has one address for many clients.
    replace("msp_connections 64", "msp_connections 1000");
    backs.forEach((back, i) => replace(`replica-${i + 1}.internal:8000`, `127.0.0.1:${back}`));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((each) => `${each}_temp_path ${folder.join("tmp")};`).join("\n");
    await folder.write(
      "nginx.conf",
      `pid ${folder.join("nginx.pid")};\nerror_log ${folder.join("nginx.log")};\nevents {}\n` +
        `http {\naccess_log off;\n${temporary}\n${site}}\n`,
    );
    const process = new Deno.Command("/usr/sbin/nginx", {
      args: ["-g", "daemon off;", "-p", folder.path, "-c", "nginx.conf"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const nginx = new Nginx(port, process);
    await waitUntil(
      () =>
        fetch(nginx.url).then((response) => response.body?.cancel()).then(() => true, () => false),
      "an answer of nginx",
    );
    return nginx;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
  }
}
