/** A plugin without a kernel: a pool of memory that grows by a page a collection. */
import * as z from 'zod';
import { size } from '../../core/config/units.js';
import { defineMetadata } from '../../core/metadata.js';
import { definePlugin, type Plugin } from '../../core/plugin.js';

export const poolMetadata = defineMetadata({
  name: 'pool',
  title: 'Pool',
  description: 'A pool of memory that exists for tests only.',
  attributes: {
    'memwatcher.pool.owner': { type: 'string', description: 'Who holds it', example: 'init' },
  },
  metrics: {
    'memwatcher.pool.size': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Memory in the pool',
      attributes: ['memwatcher.pool.owner'],
    },
    'memwatcher.pool.wait': {
      kind: 'histogram',
      unit: 'ns',
      description: 'Time that a request waited',
      attributes: [],
      enabled: false,
    },
  },
  events: {
    'memwatcher.pool.exhausted': {
      description: 'The pool is empty',
      severity: 'WARN',
      attributes: ['memwatcher.pool.owner'],
    },
  },
  spans: {},
  config: z.strictObject({
    owners: z.array(z.string()).default(['init']).describe('who holds memory'),
    limit: size({ min: 4096 })
      .default(1024 ** 2)
      .describe('where the pool ends'),
  }),
});

export interface PoolRecords {
  readonly owners: readonly string[];
  readonly bytes: number;
}

/** Reads nothing but its configuration. */
export class Pool implements Plugin<PoolRecords> {
  #pages = 0;

  constructor(readonly config: { readonly owners: readonly string[] }) {}

  start() {}

  collect(): PoolRecords {
    this.#pages++;
    return { owners: this.config.owners, bytes: this.#pages * 4096 };
  }
}

export const pool = definePlugin<typeof poolMetadata, PoolRecords>({
  metadata: poolMetadata,
  Plugin: Pool,
  report: ({ owners, bytes }, out) => {
    for (const owner of owners) {
      out.point('memwatcher.pool.size', bytes, { 'memwatcher.pool.owner': owner });
    }
    const wait = { count: 3, sum: 7, zeroCount: 0, offset: 1, buckets: [1, 0, 2] };
    out.histogram('memwatcher.pool.wait', wait, {});
  },
  view: {
    alias: 'o',
    summary: 'a pool of memory',
    options: [
      {
        flags: '--pid <owner...>',
        description: 'only these owners',
        config: (value) => ({ owners: value }),
      },
    ],
    digest: ({ bytes }) => ({ size: bytes }),
    tables: ({ owners, bytes }) => [
      {
        columns: [
          { title: 'SIZE', align: 'right', priority: 0 },
          { title: 'OWNER', align: 'left', priority: 0, flexible: true },
        ],
        rows: owners.map((owner) => [String(bytes), owner]),
      },
    ],
    overview: ({ bytes }) => [
      {
        title: 'Pool',
        columns: [{ title: 'SIZE', align: 'right', priority: 0 }],
        rows: [[String(bytes)]],
      },
    ],
  },
});
