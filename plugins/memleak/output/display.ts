/** What a hunt shows while it lasts. The last report is `hunt.ts`'s to write. */
import type { CliContext } from '../../../core/cli/context.js';
import { onChange } from '../../../core/cli/live.js';
import { canRedraw, Screen } from '../../../core/cli/screen.js';
import { styleFor } from '../../../core/cli/style.js';
import { renderTable } from '../../../core/cli/table.js';
import { fit, harmless } from '../../../core/cli/text.js';
import type { PluginStatus } from '../../../core/plugin.js';
import type { LeakSnapshot } from '../model.js';
import type { Destination } from './destination.js';
import { render } from './formats.js';
import { type Plan, shownOf } from './options.js';
import { progressText } from './progress.js';
import { select } from './select.js';
import { byVerdict, stacksTable } from './table.js';
import { stackBlock } from './table-text.js';

export interface Progress {
  /** ms since the watch began. */
  readonly elapsed: number;
  /** The last that was read. */
  readonly snapshot: LeakSnapshot | undefined;
  readonly status: PluginStatus | undefined;
}

export interface Display {
  show(progress: Progress): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

export function displayFor(plan: Plan, context: CliContext, destination: Destination): Display {
  const onTerminal = canRedraw(context) && plan.output === undefined;
  if (onTerminal && plan.format === 'table' && plan.live !== false) return redrawing(plan, context);
  const quiet = progressDisplay(plan, context, onTerminal && plan.live === true);
  return plan.live === true ? repeating(plan, destination, quiet) : quiet;
}

/** What stays of a screen for the head, the table's own lines and the gaps. */
const CHROME = 6;

function redrawing(plan: Plan, context: CliContext): Display {
  const style = styleFor(context.stdout, context.env);
  const screen = new Screen(context);
  const draw = ({ elapsed, snapshot, status }: Partial<Progress>) =>
    screen.draw((columns, rows) => {
      const progress = progressText(plan, elapsed ?? 0, snapshot);
      const head = style.dim(fit(`mem-watcher leaks  ${progress}  Ctrl-C ends`, columns));
      const reason = status?.reason ? [style.warn(fit(harmless(status.reason), columns))] : [];
      if (!snapshot) return [head, ...reason];
      const shown = select(snapshot, { olderThan: plan.olderThan, top: shownOf(plan) });
      const room = Math.max(1, rows - CHROME - reason.length);
      const table = renderTable(stacksTable(shown, room), columns, style);
      const worst = shown.stacks.toSorted(byVerdict)[0];
      const below = rows - table.length - reason.length - 3;
      const block = worst && below > 2 ? stackBlock(worst, { width: columns, style }) : [];
      return [head, ...reason, '', ...table, '', ...block.slice(0, below)];
    });
  draw({});
  return {
    show: draw,
    close: () => {
      screen.draw(() => []);
      screen.close();
    },
  };
}

/** A report every `plan.report` ms, beside the progress. */
function repeating(plan: Plan, destination: Destination, quiet: Display): Display {
  let due = plan.report;
  return {
    show: (progress) => {
      quiet.show(progress);
      const { elapsed, snapshot } = progress;
      if (!snapshot || elapsed < due || elapsed >= plan.duration) return;
      while (due <= elapsed) due += plan.report;
      const shown = select(snapshot, { olderThan: plan.olderThan, top: shownOf(plan) });
      destination.write(render(plan.format, shown));
    },
    close: () => quiet.close(),
  };
}

const CLEAR_LINE = '\r\x1b[K';
/** Off a terminal, ms between two lines of progress. */
const LINE_EVERY = 10_000;

/** One line on stderr that is written over; off a terminal a line now and then. */
function progressDisplay(plan: Plan, context: CliContext, silent: boolean): Display {
  const { stderr } = context;
  const overwrites = canRedraw({ stdout: stderr, env: context.env });
  const clear = overwrites && !silent ? CLEAR_LINE : '';
  const say = onChange((words) => stderr.write(`${clear}memleak: ${harmless(words)}\n`));
  let due = LINE_EVERY;
  return {
    show: ({ elapsed, snapshot, status }) => {
      say(status?.reason);
      const words = progressText(plan, elapsed, snapshot);
      if (silent) return;
      if (overwrites) {
        stderr.write(CLEAR_LINE + fit(words, (stderr.columns || 80) - 1));
      } else if (elapsed >= due) {
        due = elapsed + LINE_EVERY;
        stderr.write(`mem-watcher: ${words}\n`);
      }
    },
    close: () => {
      if (clear !== '') stderr.write(clear);
    },
  };
}
