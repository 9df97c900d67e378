/**
 * @module
 * Colours of a terminal, for the few words that structure a text.
 */

/** How to mark words; without colours they stay as they are. */
export interface Style {
  /** Headings and names. */
  readonly strong: (text: string) => string;
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly hint: (text: string) => string;
}

const marker = (code: number) => (text: string): string => `\x1b[${code}m${text}\x1b[0m`;
const asItIs = (text: string): string => text;

/** For files and pipes. */
export const PLAIN: Style = { strong: asItIs, error: asItIs, warning: asItIs, hint: asItIs };
/** For terminals. */
export const COLOURS: Style = {
  strong: marker(1),
  error: marker(31),
  warning: marker(33),
  hint: marker(36),
};

/** The marks of this program, or one character that controls a terminal, apart from line ends and tabs. */
const MARK_OR_CONTROL =
  // deno-lint-ignore no-control-regex -- the marks begin with one
  /\x1b\[(?:0|1|3[136]|97;40)m|[^\P{Cc}\n\t]/gu;

/**
 * A text for a terminal: the marks of this program stay, everything else that controls it is replaced.
 * Servers and modules give parts of what is shown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(forTerminal(COLOURS.strong("f") + "\x1b[2J\u009b2J"), "\x1b[1mf\x1b[0m\ufffd[2J\ufffd2J");
 * ```
 */
export function forTerminal(text: string): string {
  return text.replace(MARK_OR_CONTROL, (each) => each.length > 1 ? each : "\ufffd");
}

/** The style of a stream: colours on a terminal, unless NO_COLOR is set. */
export function styleOf(stream: { isTerminal(): boolean }): Style {
  return stream.isTerminal() && !Deno.noColor ? COLOURS : PLAIN;
}
