/** pr over an object in memory, whose tables and ring the test fills; for tests. */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Btf } from '../../core/bpf/btf.js';
import { structLayout } from '../../core/bpf/struct.js';
import type { Kernel } from '../../core/kernel/kernel.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import type { SpanRecord } from '../../core/telemetry/events.js';
import { FakeObject, fakeLoader } from '../../test/fakes/bpf-host.js';
import { encodeRecord, type RecordValues, writeRecord } from '../../test/fakes/record.js';
import { metadata } from './metadata.js';
import { Pr } from './plugin.js';
import { RECLAIM_TYPES, type ReclaimType } from './reclaim.js';

export const OBJECT = fileURLToPath(new URL('../../bpf/pr.bpf.o', import.meta.url));
const btf = Btf.ofObject(readFileSync(OBJECT));
export const layoutOf = (struct: string) => structLayout(btf, struct);

const ARRAY = 2;
const HASH = 1;
const PER_CPU_ARRAY = 6;
const QUEUE = 22;
const RING = 27;

const tableMaps = (name: string, slot: string, key: string) => [
  { name, type: ARRAY, valueSize: layoutOf(slot).size, maxEntries: 1024, mmapable: true },
  { name: `${name}_index`, type: HASH, keySize: layoutOf(key).size, maxEntries: 1024 },
  { name: `${name}_free`, type: QUEUE, keySize: 0, valueSize: 4, maxEntries: 1024 },
];
const arrayMap = (name: string, struct: string, maxEntries: number) => ({
  name,
  type: ARRAY,
  valueSize: layoutOf(struct).size,
  maxEntries,
  mmapable: true,
});

export function fakeObject(): FakeObject {
  return new FakeObject({
    file: OBJECT,
    programs: { btf_direct_reclaim_begin: { section: 'tp_btf/mm_vmscan_direct_reclaim_begin' } },
    maps: [
      ...tableMaps('cgroups', 'pr_cgroup', 'pr_cgroup_key'),
      ...tableMaps('requests', 'pr_request', 'pr_request_key'),
      ...tableMaps('processes', 'pr_process', 'pr_process_key'),
      arrayMap('types', 'pr_counts', RECLAIM_TYPES.length),
      arrayMap('pages', 'pr_pages', RECLAIM_TYPES.length),
      arrayMap('throttles', 'pr_throttled', 5),
      arrayMap('wakeups', 'pr_wakeups', 1),
      { name: 'threads', type: HASH, maxEntries: 1024 },
      { name: 'kept', type: HASH, valueSize: layoutOf('pr_running').size, maxEntries: 256 },
      { name: 'spans', type: RING, maxEntries: 1 << 18 },
      { name: 'stats', type: PER_CPU_ARRAY, valueSize: layoutOf('mw_stats').size },
    ],
  });
}

const SLOTS = { cgroups: 'pr_cgroup', requests: 'pr_request', processes: 'pr_process' } as const;
const ROWS = {
  types: 'pr_counts',
  pages: 'pr_pages',
  throttles: 'pr_throttled',
  wakeups: 'pr_wakeups',
} as const;

/** Puts a record into a mapped map, over what is there. */
export function put(
  object: FakeObject,
  map: keyof typeof SLOTS | keyof typeof ROWS,
  index: number,
  values: RecordValues,
): void {
  const layout = layoutOf({ ...SLOTS, ...ROWS }[map]);
  writeRecord(object.map(map).bytes, index * layout.size, layout, values);
}

export const typeNumber = (type: ReclaimType) => RECLAIM_TYPES.indexOf(type);

/** A kernel that has nothing. */
export const factlessKernel: Kernel = {
  release: 'fake',
  btfPath: undefined,
  profiles: undefined,
  check: () => ({ holds: false, missing: 'everything' }),
  resolve: () => 0,
  enumerators: () => undefined,
};

const SEEN = ['memcg', 'soft-limit', 'node-reclaim'];

interface FakeOptions {
  readonly config?: Record<string, unknown>;
  /** Parts of the profile that this kernel has; by default those that see episodes. */
  readonly parts?: readonly string[];
  /** False: nobody takes traces. */
  readonly takesSpans?: boolean;
  readonly isOn?: (metric: string) => boolean;
}

export function fake({
  config = {},
  parts = SEEN,
  takesSpans = true,
  isOn = () => true,
}: FakeOptions = {}) {
  const object = fakeObject();
  const scope = new Scope();
  const health = new StatusKeeper('pr', () => undefined);
  const spans: Pick<SpanRecord, 'startTime' | 'endTime' | 'attributes'>[] = [];
  const emitter = {
    event: () => undefined,
    span: (_: string, span: (typeof spans)[number]) => {
      spans.push(span);
      const id = spans.length.toString(16);
      if (!takesSpans) return undefined;
      return { traceId: id.padStart(32, '0'), spanId: id.padStart(16, '0') };
    },
  };
  const loader = fakeLoader(
    object,
    'tp-btf',
    new Map(['spans', ...parts].map((part) => [part, 'tp-btf'])),
  );
  const options = metadata.config.parse(config);
  const plugin = new Pr(scope, options, loader, emitter, health, factlessKernel, { isOn });
  const send = (values: RecordValues) =>
    void object.map('spans').records.push(encodeRecord(layoutOf('pr_span'), values));
  return {
    object,
    scope,
    health,
    spans,
    plugin,
    start: () => {
      plugin.start();
      health.running();
    },
    /** As the kernel sends a span. */
    send,
    put: (map: Parameters<typeof put>[1], index: number, values: RecordValues) =>
      put(object, map, index, values),
    /** As one CPU counted what the object lost. */
    lose: (values: RecordValues) =>
      object.map('stats').update(new Uint8Array(4), encodeRecord(layoutOf('mw_stats'), values)),
  };
}
