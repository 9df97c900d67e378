/**
 * @module
 * QR codes of links, for terminals and as files.
 */
import encodeQR from "qr";

/** Lower error correction keeps the code of a link within 24 lines; a screen has no scratches. */
const FOR_SCREEN = { ecc: "low", border: 2 } as const;
/** With the quiet zone that the standard asks for (ISO/IEC 18004 §6.3.8). */
const FOR_PAPER = { ecc: "medium", border: 4 } as const;

/**
 * A code in half blocks, two modules a line.
 *
 * @param isColoured sets both colours, so that light and dark stay what they are in every terminal
 */
export function qrText(text: string, isColoured: boolean): string {
  const lines = encodeQR(text, "ascii", FOR_SCREEN).split("\n").filter((line) => line !== "");
  return lines.map((line) => isColoured ? `\x1b[97;40m${line}\x1b[0m\n` : `${line}\n`).join("");
}

/** A code as an SVG document. */
export function qrSvg(text: string): string {
  // Light modules are not drawn: without a background they would be as dark as the page around.
  const svg = encodeQR(text, "svg", FOR_PAPER);
  return `${svg.replace(/^<svg [^>]*>/, '$&<rect width="100%" height="100%" fill="#fff"/>')}\n`;
}
