/**
 * Text on a terminal: how wide it is, cut to fit, and made harmless. Names of processes are chosen
 * by whoever runs them, so they can hold escape sequences; none reaches the terminal.
 */

/** C0, DEL, C1, and the marks that turn or hide text (Trojan Source). */
export const HOSTILE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/gu;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Control characters become visible: `\n`, `\x1b`, `\u202e`. */
export function harmless(text: string): string {
  return text.replace(HOSTILE, (char) => {
    const code = char.charCodeAt(0);
    const hex = code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : undefined;
    return ESCAPES[char] ?? hex ?? `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

const ZERO_WIDTH = /^[\p{Mn}\p{Me}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

function charWidth(char: string): number {
  if (char < '\u0300') return 1;
  if (ZERO_WIDTH.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** Columns that `text` takes; wide characters take two, combining marks none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** At most `width` columns, with an ellipsis where something was cut. */
export function fit(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return '';
  let cut = '';
  let used = 0;
  for (const char of text) {
    used += charWidth(char);
    if (used > width - 1) break;
    cut += char;
  }
  return `${cut}…`;
}

/** Exactly `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const fitted = fit(text, width);
  const space = ' '.repeat(Math.max(0, width - textWidth(fitted)));
  return align === 'right' ? space + fitted : fitted + space;
}

/** Lines of at most `width` columns, broken at spaces; a longer word stays whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
