import { inject, injectable } from 'tsyringe';
import type { LoadedBpf } from '../../core/bpf/host.js';
import { onDemand } from '../../core/bpf/on-demand.js';
import { MemWatcherError } from '../../core/errors.js';
import { pageSize } from '../../core/identity/host.js';
import { nodeCount } from '../../core/memory/numa.js';
import type { Plugin } from '../../core/plugin.js';
import { BpfLoader, Config, Health, Scope } from '../../core/tokens.js';
import { SysstatDecoder } from './decoder.js';
import type { SysstatRecords } from './memory.js';
import type { SysstatMetadata } from './metadata.js';
import { hugePageSize, NodeSlots } from './nodes.js';

/** What `start` made. */
interface Running {
  /** Reads all nodes and returns how many; strategies with a hook read when it is passed. */
  readonly readNow: (() => number) | undefined;
  readonly slots: NodeSlots;
  readonly decoder: SysstatDecoder;
}

@injectable()
export class Sysstat implements Plugin<SysstatRecords> {
  readonly #scope: Scope;
  readonly #config: Config<SysstatMetadata>;
  readonly #loader: BpfLoader;
  readonly #health: Health;
  #running: Running | undefined;

  constructor(
    @inject(Scope) scope: Scope,
    @inject(Config) config: Config<SysstatMetadata>,
    @inject(BpfLoader) loader: BpfLoader,
    @inject(Health) health: Health,
  ) {
    this.#scope = scope;
    this.#config = config;
    this.#loader = loader;
    this.#health = health;
  }

  start(): void {
    const page = pageSize();
    const nodes = nodeCount();
    refuseImpossible(this.#config.nodes, nodes);
    const loaded = this.#scope.use(
      this.#loader.load({
        constants: {
          node_count: nodes,
          pages_per_huge_page: hugePageSize() / page,
          hook_interval_ns: Math.round(this.#config.hook_interval * 1e6),
        },
        maxEntries: { nodes },
        verify: (candidate) => {
          if (readerOf(candidate)?.() === 0) throw nothingRead(true);
        },
      }),
    );
    const { object } = loaded;
    const layout = object.layout('sysstat_node');
    this.#running = {
      readNow: readerOf(loaded),
      slots: new NodeSlots(this.#scope.use(object.map('nodes').mapped()), layout),
      decoder: new SysstatDecoder(layout, page),
    };
  }

  collect(): SysstatRecords {
    if (this.#running === undefined) {
      throw new MemWatcherError('INTERNAL', 'sysstat collects before it has started');
    }
    const { readNow, slots, decoder } = this.#running;
    // The slots keep what was read last: without a new pass they are no snapshot.
    if (readNow?.() === 0) throw nothingRead(true);
    const copies = slots.copy();
    this.#sayTorn(copies);
    const records = decoder.decode(copies);
    if (records.nodes.length === 0) throw nothingRead(readNow !== undefined);
    const { nodes } = this.#config;
    if (nodes.length === 0) return records;
    return { ...records, nodes: records.nodes.filter(({ id }) => nodes.includes(id)) };
  }

  #sayTorn(copies: readonly (Uint8Array | undefined)[]): void {
    const torn = [...copies.keys()].filter((id) => copies[id] === undefined);
    if (torn.length === 0) {
      this.#health.clear('torn');
      return;
    }
    const which = `node ${torn.join(', ')}`;
    this.#health.degraded('torn', `${which} was being written during every attempt to copy it`);
  }
}

const readerOf = (loaded: LoadedBpf) => onDemand(loaded, 'read_now');

function refuseImpossible(wanted: readonly number[], count: number): void {
  const wrong = wanted.filter((id) => id >= count);
  if (wrong.length === 0) return;
  throw new MemWatcherError(
    'CONFIG_INVALID',
    `plugins.sysstat.nodes: this host can have no NUMA node ${wrong.join(', ')}`,
    { hint: count === 1 ? 'it has node 0 only' : `write numbers from 0 to ${count - 1}` },
  );
}

function nothingRead(isOnDemand: boolean): MemWatcherError {
  return isOnDemand
    ? new MemWatcherError('BPF_RUN_FAILED', 'no NUMA node was found', {
        hint: 'set plugins.sysstat.strategy to another of config/kernel/sysstat.yaml',
      })
    : new MemWatcherError('BPF_RUN_FAILED', 'no page allocation has passed the hook yet');
}
