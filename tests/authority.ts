/**
 * @module
 * A certificate authority for tests, and certificates of it for 127.0.0.1.
 */
import assert from "node:assert/strict";
import { run, type TempFolder } from "./program.ts";

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/** Issues certificates into a folder, where `ca.pem` is to be trusted. */
export class Authority {
  private constructor(readonly folder: TempFolder) {}

  static async make(folder: TempFolder): Promise<Authority> {
    const authority = new Authority(folder);
    await authority.#openssl(
      `req -x509 ${NEW_KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`,
    );
    await folder.write("names", "subjectAltName=IP:127.0.0.1\n");
    return authority;
  }

  /** Writes NAME.pem and NAME.key, each replaced by rename as certificate tools do. */
  async issue(name: string, commonName: string): Promise<void> {
    await this.#openssl(`req ${NEW_KEY} -keyout new.key -out new.csr -subj /CN=${commonName}`);
    await this.#openssl(
      "x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out new.pem -days 2 " +
        "-extfile names",
    );
    await Deno.rename(this.folder.join("new.key"), this.folder.join(`${name}.key`));
    await Deno.rename(this.folder.join("new.pem"), this.folder.join(`${name}.pem`));
  }

  /** The name in the certificate that a server shows. */
  async shown(port: number): Promise<string> {
    const line = `openssl s_client -connect 127.0.0.1:${port} </dev/null 2>/dev/null | ` +
      "openssl x509 -noout -subject";
    return (await run(["bash", "-c", line], { cwd: this.folder.path })).out.trim();
  }

  async #openssl(line: string): Promise<void> {
    const { code, err } = await run(["openssl", ...line.split(" ")], { cwd: this.folder.path });
    assert.equal(code, 0, err);
  }
}
