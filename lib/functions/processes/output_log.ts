/**
 * @module
 * What a function writes, in the server's log. Its host limits the lines; here that is not relied on.
 */
import { LineLimit } from "../../limits/line_limit.ts";
import { logger } from "../../log.ts";
import { LINES_PER_SECOND, type OutputLevel } from "../wire/messages.ts";

/** Output of one worker of a function. */
export class OutputLog {
  readonly #log: ReturnType<typeof logger>;
  readonly #lines: LineLimit;

  constructor(functionName: string) {
    this.#log = logger(`functions.${functionName}`);
    this.#lines = new LineLimit({
      onLeftOut: (count) => this.#noteLeftOut(count),
      linesPerSecond: 2 * LINES_PER_SECOND,
    });
  }

  line(level: OutputLevel, text: string): void {
    if (this.#lines.allows()) this.#log[level]("{text}", { text });
  }

  /** The host left lines out. */
  leftOut(count: number): void {
    if (this.#lines.allows()) this.#noteLeftOut(count);
  }

  /** Nothing more comes. */
  close(): void {
    this.#lines.flush();
  }

  #noteLeftOut(count: number): void {
    this.#log.warn("{count} more lines left out", { count });
  }
}
