/**
 * How a person sees a plugin's snapshot: columns, rows, and the options that filter them.
 * Pure: the same view serves the live table, one-shot output and `run` on a terminal.
 */

export interface Column {
  readonly title: string;
  /** `right` for numbers. */
  readonly align: 'left' | 'right';
  /** Dropped first when the terminal is narrow: the highest number goes first; 0 always stays. */
  readonly priority: number;
  /** May be shortened with an ellipsis to fit. */
  readonly flexible?: true;
  /** Goes on in the next line instead of being shortened; for prose. */
  readonly wrap?: true;
}

export interface Table {
  readonly title?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** One line under the table, for instance what was left out. */
  readonly footer?: string;
}

/** An option of the plugin's subcommand that changes the plugin's configuration. */
export interface ViewOption {
  /** In commander's notation: `--pid <pid...>`. */
  readonly flags: string;
  readonly description: string;
  /** The value given → keys laid over `plugins.<name>`; throw a USAGE error if it is wrong. */
  readonly config: (value: unknown) => Readonly<Record<string, unknown>>;
}

export interface View<Records> {
  /** The original's short flag, for instance `r` for `mem-watcher -r`. */
  readonly alias?: string;
  /** One line for `--help`. */
  readonly summary: string;
  readonly options: readonly ViewOption[];
  /** The whole snapshot as tables, in the order in which they are shown. */
  tables(records: Records, context: ViewContext): readonly Table[];
  /** What `run` says of this plugin in its JSON line a collection, off a terminal; bytes. */
  digest?(records: Records): Readonly<Record<string, unknown>>;
  /** A few lines for the overview that `run` shows on a terminal. */
  overview(records: Records, context: ViewContext): readonly Table[];
}

export interface ViewContext {
  /** Rows that fit. */
  readonly rows: number;
  /** Numbers as plain bytes instead of KiB, MiB. */
  readonly bytes: boolean;
}
