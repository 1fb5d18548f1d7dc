import type { CliContext } from './context.js';
import { fit } from './text.js';

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_REST = '\x1b[J';

/** Draws a frame for a terminal of this size; lines that are too many are cut by the screen. */
export type Frame = (columns: number, rows: number) => readonly string[];

/** Whether a table can be redrawn in place. */
export function canRedraw({ stdout, env }: Pick<CliContext, 'stdout' | 'env'>): boolean {
  return stdout.isTTY === true && env.TERM !== 'dumb';
}

/**
 * The terminal as one page, drawn again in place. It is given back as it was on `close`, and when
 * the process ends in any other way; the last frame stays in the scrollback.
 */
export class Screen {
  readonly #context: CliContext;
  readonly #forgetExit: () => void;
  #frame: Frame = () => [];
  #open = true;

  constructor(context: CliContext) {
    this.#context = context;
    this.#forgetExit = context.onExit(() => this.#leave());
    context.stdout.write(ENTER);
    context.stdout.on?.('resize', this.#redraw);
  }

  draw(frame: Frame): void {
    this.#frame = frame;
    this.#redraw();
  }

  /** Twice is harmless. */
  close(): void {
    this.#forgetExit();
    this.#leave();
  }

  readonly #redraw = (): void => {
    if (!this.#open) return;
    const lines = this.#lines().map((line) => line + CLEAR_LINE);
    this.#context.stdout.write(HOME + lines.join('\r\n') + CLEAR_REST);
  };

  #lines(): readonly string[] {
    // A pseudo-terminal that nobody has sized says 0.
    const { stdout } = this.#context;
    const [columns, rows] = [stdout.columns || 80, stdout.rows || 24];
    const lines = this.#frame(columns, rows);
    if (lines.length <= rows) return lines;
    const more = `… ${lines.length - rows + 1} more lines; enlarge the terminal`;
    return [...lines.slice(0, Math.max(0, rows - 1)), fit(more, columns)];
  }

  #leave(): void {
    if (!this.#open) return;
    const lines = this.#lines();
    this.#open = false;
    this.#context.stdout.off?.('resize', this.#redraw);
    this.#context.stdout.write(`${LEAVE}${lines.join('\n')}${lines.length > 0 ? '\n' : ''}`);
  }
}
