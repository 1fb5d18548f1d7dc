import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import { ConfigError, type ConfigProblem } from './problem.js';

export type Path = readonly (string | number)[];

/** A YAML file as plain values, that still knows where each key and value stands. */
export class ConfigSource {
  readonly #document: Document;
  readonly #lines = new LineCounter();
  /** Plain objects, arrays and scalars; null where the YAML has nothing. */
  readonly value: unknown;

  /** `file` is only named in messages. Throws a ConfigError with every syntax mistake. */
  constructor(
    readonly file: string,
    text: string,
  ) {
    this.#document = parseDocument(text.replace(/^\uFEFF/, ''), {
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    const faults = [...this.#document.errors, ...this.#document.warnings].filter(isOwnFault);
    if (faults.length > 0) {
      throw new ConfigError(
        faults.map(({ code, message, pos }) => this.#at(pos[0], SYNTAX[code] ?? lowered(message))),
      );
    }
    if (this.#document.contents === null) {
      const message = 'the file is empty; write `{}` to take every default';
      throw new ConfigError([{ source: file, line: 1, column: 1, message }]);
    }
    const misuses = this.#misuses();
    if (misuses.length > 0) throw new ConfigError(misuses);
    try {
      this.value = this.#document.toJS();
    } catch (error) {
      throw new ConfigError([this.#at(0, lowered((error as Error).message))]);
    }
  }

  /** The place of the key at the end of `path`, or of the value it has. */
  problem(path: Path, message: string, of: 'key' | 'value' = 'value'): ConfigProblem {
    let node: unknown = this.#document.contents;
    let offset = rangeStart(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      const found = childOf(this.#resolve(node), step);
      if (!found) break;
      const last = depth === path.length - 1;
      const wanted = last && of === 'key' ? found.key : found.value;
      offset = rangeStart(wanted) ?? rangeStart(found.key) ?? offset;
      node = found.value;
    }
    return this.#at(offset, message);
  }

  /** What YAML allows and a configuration cannot have; toJS would not say where it stands. */
  #misuses(): ConfigProblem[] {
    const problems: ConfigProblem[] = [];
    const tell = (node: Node, message: string) =>
      problems.push(this.#at(node.range?.[0] ?? 0, message));
    visit(this.#document, {
      Pair: (_, { key }) => {
        if (isNode(key) && !isScalar(key)) tell(key, 'a key must be text');
      },
      Alias: (_, alias, ancestors) => {
        const target = alias.resolve(this.#document);
        if (target === undefined) tell(alias, `no anchor &${alias.source} stands above`);
        else if (ancestors.includes(target)) tell(alias, `*${alias.source} would contain itself`);
      },
    });
    return problems;
  }

  #resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #at(offset: number, message: string): ConfigProblem {
    const { line, col } = this.#lines.linePos(offset);
    return { source: this.file, line: Math.max(1, line), column: Math.max(1, col), message };
  }
}

/** What the parser says of the rest of the file, once it has lost its way, helps nobody. */
const isOwnFault = ({ code }: YAMLError, index: number, all: readonly YAMLError[]) =>
  code !== 'UNEXPECTED_TOKEN' || all.findIndex((fault) => fault.code === code) === index;

/** yaml's own words where they would not help the person who wrote the file. */
const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'duplicate key: it was set above, and only one can hold',
  MULTIPLE_DOCS: 'a second document begins here (`---`); the configuration is one document',
  TAB_AS_INDENT: 'a tab cannot indent in YAML; use spaces',
  TAG_RESOLVE_FAILED: 'unknown YAML tag; quote the value if it begins with `!`',
};

const lowered = (message: string) => message.charAt(0).toLowerCase() + message.slice(1);

const rangeStart = (node: unknown) => (isNode(node) ? node.range?.[0] : undefined);

function childOf(node: unknown, step: string | number): { key: Node; value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)];
    return isNode(value) ? { key: value, value } : undefined;
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return isNode(pair?.key) ? { key: pair.key, value: pair.value } : undefined;
}
