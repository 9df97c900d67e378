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

/** The style of a stream: colours on a terminal, unless NO_COLOR is set. */
export function styleOf(stream: { isTerminal(): boolean }): Style {
  return stream.isTerminal() && !Deno.noColor ? COLOURS : PLAIN;
}
