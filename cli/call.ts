/**
 * @module
 * `msp call`: the client.
 */
import { callFunction, readCertificate } from "../lib/client.ts";
import { readPrivateKey, readPublicKey, readSecret } from "../lib/crypto/key_file.ts";
import { UsageError } from "../lib/errors.ts";
import { type Command, parseArguments, textOption } from "./command.ts";

/** The subcommand. */
export const call: Command = {
  name: "call",
  usage: "call URL FUNCTION [--key F] [--secret F] [--server-key F] [--ca F]",
  summary: "call a function of a server and print the answer",
  details: `  --key FILE             the client's private key (default client.key)
  --secret FILE          the client's secret (default client.secret)
  --server-key FILE      the server's public key (default server.pub)
  --ca FILE              certificate authority to trust for https, in PEM

Standard output is the answer alone, with a line end. The exit code is 1 when there is none.`,
  example: "msp call http://localhost:8000/v1 time_test",
  async run(args, io): Promise<number> {
    const { values, positionals: [url = "", functionName = ""] } = parseArguments(call, args, {
      options: {
        key: { type: "string" },
        secret: { type: "string" },
        "server-key": { type: "string" },
        ca: { type: "string" },
      },
      positionals: ["URL", "FUNCTION"],
    });
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      throw new UsageError(
        `Cannot run call: ${JSON.stringify(url)}, expected a URL such as http://localhost:8000/v1`,
        { hint: `usage: msp ${call.usage}` },
      );
    }
    const keys = {
      privateKey: await readPrivateKey(textOption(values, "key") ?? "client.key"),
      secretHex: await readSecret(textOption(values, "secret") ?? "client.secret"),
      serverPublicKey: await readPublicKey(textOption(values, "server-key") ?? "server.pub"),
    };
    const caFile = textOption(values, "ca");
    const ca = caFile === undefined ? {} : { caCertificate: await readCertificate(caFile) };
    io.out(`${await callFunction({ url, functionName, keys, ...ca })}\n`);
    return 0;
  },
};
