/** paf over an object in memory, whose folds and rings the test fills as the kernel would; for tests. */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Btf } from '../../core/bpf/btf.js';
import { structLayout } from '../../core/bpf/struct.js';
import { findInstallation } from '../../core/install.js';
import type { Kernel } from '../../core/kernel/kernel.js';
import type { Severity } from '../../core/metadata.js';
import { Scope } from '../../core/scope.js';
import { StatusKeeper } from '../../core/status.js';
import { FakeObject, fakeLoader } from '../../test/fakes/bpf-host.js';
import { encodeRecord, type RecordValues, writeRecord } from '../../test/fakes/record.js';
import type { FailureAttributes } from './event.js';
import { metadata } from './metadata.js';
import { Paf } from './plugin.js';

export const OBJECT = fileURLToPath(new URL('../../bpf/paf.bpf.o', import.meta.url));
const btf = Btf.ofObject(readFileSync(OBJECT));
export const layoutOf = (struct: string) => structLayout(btf, struct);

const HASH = 1;
const ARRAY = 2;
const PER_CPU_ARRAY = 6;
const QUEUE = 22;
const RING = 27;

const sizeOf = (struct: string) => layoutOf(struct).size;

/** Far above the pids of this machine, so that /proc has nothing to say of it. */
export const PID = 2 ** 30;
export const who = (values: RecordValues = {}): RecordValues => ({
  pid: PID,
  tid: PID,
  start_time: 1e9,
  comm: 'postgres',
  executable: 'postgres',
  ...values,
});

export function fakeObject(onSurvey?: (object: FakeObject) => number): FakeObject {
  const object: FakeObject = new FakeObject({
    file: OBJECT,
    programs: {
      on_alloc_btf: { section: 'tp_btf/mm_page_alloc' },
      survey: { section: 'raw_tp', run: () => onSurvey?.(object) ?? 0 },
    },
    maps: [
      { name: 'folds', type: ARRAY, valueSize: sizeOf('paf_fold'), maxEntries: 1, mmapable: true },
      {
        name: 'totals',
        type: ARRAY,
        valueSize: sizeOf('paf_totals'),
        maxEntries: 1,
        mmapable: true,
      },
      { name: 'slots', type: HASH, keySize: sizeOf('paf_key'), maxEntries: 1 },
      { name: 'free_slots', type: QUEUE, keySize: 0, valueSize: 4, maxEntries: 1 },
      { name: 'nodes', type: ARRAY, valueSize: sizeOf('paf_node'), maxEntries: 1, mmapable: true },
      { name: 'details', type: RING, maxEntries: 1 << 19 },
      { name: 'attempts', type: RING, maxEntries: 1 << 17 },
      { name: 'passages', type: PER_CPU_ARRAY, valueSize: sizeOf('paf_passage') },
      { name: 'stats', type: PER_CPU_ARRAY, valueSize: sizeOf('mw_stats') },
    ],
  });
  return object;
}

const enumOf = (...names: readonly string[]) =>
  new Map(names.map((name, value) => [name, value] as const));

/** A kernel whose flags are those of 5.10, without CMA. */
export const kernel: Kernel = {
  release: 'fake',
  btfPath: undefined,
  profiles: findInstallation(import.meta.url).profiles,
  check: (fact) =>
    'btf_type' in fact && fact.btf_type === 'struct zone'
      ? { holds: true }
      : { holds: false, missing: 'all else' },
  resolve: () => 0,
  enumerators: (which) => {
    if (!('name' in which)) return undefined;
    if (which.name === 'enum zone_type') return enumOf('ZONE_DMA', 'ZONE_DMA32', 'ZONE_NORMAL');
    if (which.name !== 'enum migratetype') return undefined;
    return enumOf('MIGRATE_UNMOVABLE', 'MIGRATE_MOVABLE', 'MIGRATE_RECLAIMABLE');
  },
};

export interface SeenEvent {
  readonly body: string;
  readonly attributes: FailureAttributes;
  readonly time: number | undefined;
  readonly severity: Severity | undefined;
}

interface FakeOptions {
  readonly config?: Record<string, unknown>;
  /** Which metrics are this plugin's; none of zones if not said. */
  readonly isOn?: (metric: string) => boolean;
  readonly onSurvey?: (object: FakeObject) => number;
}

export function fake({ config = {}, isOn = () => false, onSurvey }: FakeOptions = {}) {
  const object = fakeObject(onSurvey);
  const scope = new Scope();
  const health = new StatusKeeper('paf', () => undefined);
  const events: SeenEvent[] = [];
  const emitter = {
    event: (
      _: string,
      body: string,
      attributes: object,
      { time, severity }: { readonly time?: number; readonly severity?: Severity } = {},
    ) => void events.push({ body, attributes: attributes as FailureAttributes, time, severity }),
    span: () => undefined,
  };
  const loader = fakeLoader(object, 'tracepoint', new Map([['attempts', 'tracepoint']]));
  const options = metadata.config.parse(config);
  const plugin = new Paf(scope, options, loader, health, kernel, emitter, { isOn });
  const slotSize = sizeOf('paf_fold');
  let changes = 0;
  return {
    object,
    scope,
    health,
    events,
    plugin,
    start: () => {
      plugin.start();
      health.running();
    },
    /** What the slot has, over what is there. */
    fold: (slot: number, values: RecordValues) => {
      writeRecord(object.map('folds').bytes, slot * slotSize, layoutOf('paf_fold'), values);
      const failures = ++changes;
      writeRecord(object.map('totals').bytes, 0, layoutOf('paf_totals'), { failures });
    },
    detail: (values: RecordValues) =>
      void object.map('details').records.push(encodeRecord(layoutOf('paf_detail'), values)),
    attempt: (values: RecordValues) =>
      void object.map('attempts').records.push(encodeRecord(layoutOf('paf_attempt'), values)),
    /** As one CPU counted what the object lost. */
    lose: (values: RecordValues) =>
      object.map('stats').update(new Uint8Array(4), encodeRecord(layoutOf('mw_stats'), values)),
  };
}
