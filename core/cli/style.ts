/** Emphasis, where the terminal wants it. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly heading: (text: string) => string;
  readonly warn: (text: string) => string;
}

const plain = (text: string) => text;
const sgr = (on: number, off: number) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`;

export const plainStyle: Style = { bold: plain, dim: plain, heading: plain, warn: plain };

const colored: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  heading: sgr(4, 24),
  warn: sgr(33, 39),
};

/** Plain off a terminal, on a dumb one, and where NO_COLOR is set to anything (no-color.org). */
export function styleFor(
  output: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  return output.isTTY && !env.NO_COLOR && env.TERM !== 'dumb' ? colored : plainStyle;
}
