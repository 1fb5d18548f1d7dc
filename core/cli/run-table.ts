import type { Collection } from '../agent.js';
import type { AgentConfig } from '../config/schema.js';
import type { PluginStatus } from '../plugin.js';
import type { PluginCollection } from '../plugin-runner.js';
import { lacksText } from '../status.js';
import type { EventRecord } from '../telemetry/events.js';
import type { CliContext } from './context.js';
import { endpoints } from './endpoints.js';
import { formatElapsed } from './format.js';
import { isoTime } from './json.js';
import { pointCount, type RunDisplay } from './run-display.js';
import { Screen } from './screen.js';
import { type Style, styleFor } from './style.js';
import { renderTable } from './table.js';
import { fit, harmless } from './text.js';

/** Log lines and events that stay in sight under the tables. */
const LOG_LINES = 3;

/** `run` on a terminal: a line a plugin, what each sees, and the newest log lines, in place. */
export class RunTable implements RunDisplay {
  readonly #context: CliContext;
  readonly #style: Style;
  readonly #screen: Screen;
  readonly #targets: string;
  readonly #log: string[] = [];
  #collection: Collection | undefined;
  #statuses: readonly PluginStatus[] = [];
  #closed = false;

  constructor(context: CliContext, config: AgentConfig) {
    this.#context = context;
    this.#style = styleFor(context.stdout, context.env);
    this.#targets = endpoints(config, context.env).join('  ');
    this.#screen = new Screen(context);
    this.#draw();
  }

  collection(collection: Collection, statuses: readonly PluginStatus[]): void {
    this.#collection = collection;
    this.#statuses = statuses;
    this.#draw();
  }

  event({ plugin, event, body }: EventRecord): void {
    // What the agent says of itself is in its log, and in the statuses, already.
    if (!this.#context.plugins.some(({ metadata }) => metadata.name === plugin)) return;
    this.log(`${event}: ${body}`);
  }

  readonly log = (line: string): void => {
    // What goes wrong while the agent stops comes after the table has gone.
    if (this.#closed) {
      this.#context.stderr.write(`${harmless(line.trimEnd())}\n`);
      return;
    }
    this.#log.push(line.trimEnd());
    this.#log.splice(0, this.#log.length - LOG_LINES);
    this.#draw();
  };

  close(): void {
    this.#closed = true;
    this.#screen.close();
  }

  #draw(): void {
    this.#screen.draw((columns, rows) => {
      const above = this.#head(columns);
      const below = this.#log.map((line) => this.#style.dim(fit(harmless(line), columns)));
      if (below.length > 0) below.unshift('');
      return [...above, ...this.#blocks(columns, rows - above.length - below.length), ...below];
    });
  }

  #head(columns: number): string[] {
    const when = this.#collection
      ? `${isoTime(this.#collection.time)}  collection ${this.#collection.number}`
      : 'starting';
    return [
      this.#style.dim(fit(`mem-watcher  ${when}  Ctrl-C detaches and flushes`, columns)),
      this.#style.dim(fit(this.#targets, columns)),
      ...this.#statuses.map((status) => this.#status(status, columns)),
    ];
  }

  #status(status: PluginStatus, columns: number): string {
    const { plugin, state, strategy, reason, lacks } = status;
    const own = this.#collection?.plugins.find(({ name }) => name === plugin);
    const figures = own && `${pointCount(own.batch)} points in ${formatElapsed(own.durationMs)}`;
    const words = [plugin, state, strategy, figures, reason, lacksText(lacks)];
    const line = fit(harmless(words.filter((word) => word).join('  ')), columns);
    return state === 'ok' ? line : this.#style.warn(line);
  }

  /** Every plugin's tables: first as short as can be, then each in turn grows into what is left. */
  #blocks(columns: number, rows: number): string[] {
    const plugins = this.#collection?.plugins ?? [];
    const least = plugins.map((own) => this.#overview(own, columns, 1));
    let spare = rows - least.flat().length;
    return plugins.flatMap((own, index) => {
      const short = least[index] ?? [];
      if (spare <= 0) return short;
      const tall = this.#overview(own, columns, 1 + spare);
      const grown = tall.length - short.length;
      if (grown > spare) return short;
      spare -= grown;
      return tall;
    });
  }

  #overview({ name, records }: PluginCollection, columns: number, rows: number): string[] {
    const module = this.#context.plugins.find(({ metadata }) => metadata.name === name);
    const tables = module?.view.overview(records, { rows, bytes: false }) ?? [];
    return tables.flatMap((table) => ['', ...renderTable(table, columns, this.#style)]);
  }
}
