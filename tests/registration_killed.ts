/**
 * @module
 * The registration process of an invited client, killed with SIGKILL before the Nth thing that it does to
 * the file system: `deno run registration_killed.ts N`, with the request on standard input. Beyond the last
 * step it ends as it should.
 */
import { runRegistration } from "../lib/registration_process.ts";

const killAt = Number(Deno.args[0]);
let steps = 0;

function step(): void {
  if (++steps === killAt) Deno.kill(Deno.pid, "SIGKILL");
}

/** Puts a step in front of methods. */
function count(target: object, names: readonly string[]): void {
  for (const name of names) {
    const original = Reflect.get(target, name);
    Reflect.set(target, name, function (this: unknown, ...args: unknown[]): unknown {
      step();
      return original.apply(this, args);
    });
  }
}

count(Deno, ["open", "rename", "link", "remove", "mkdir", "chown"]);
count(Deno.FsFile.prototype, ["write", "truncate", "syncData", "sync", "unlock"]);
const answer = await runRegistration(Deno.stdin.readable) ?? "";
await Deno.stdout.write(new TextEncoder().encode(answer));
Deno.exit(0);
