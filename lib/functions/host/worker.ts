/**
 * @module
 * What runs in a worker: one function, which takes calls from the host's main thread.
 */
import { ResultWriter } from "../wire/frames.ts";
import type { FromWorker, ToWorker } from "../wire/messages.ts";
import { HostedModule } from "./hosted_module.ts";

interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
}

/** The module may replace globals: what this file needs is taken before it loads. */
const scope = globalThis as unknown as WorkerScope;
const post = scope.postMessage.bind(scope);

let hosted: HostedModule | undefined;
scope.addEventListener("message", ({ data }): void => {
  if (!("load" in data)) return hosted?.receive(data.kind, data.frame);
  hosted = new HostedModule(data.load, {
    loaded: (about) => post({ loaded: about }),
    failed: (kind, failed) => post({ failed, kind }),
    output: (level, output) => post({ output, level }),
    leftOut: (leftOut) => post({ leftOut }),
    reply: new ResultWriter((out) => post({ results: out.written.slice() })),
  });
  hosted.load();
});
post({ started: true });
