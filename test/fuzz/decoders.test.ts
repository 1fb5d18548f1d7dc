/**
 * Damaged records: decoders say what they could read, in figures that can be sent. Goldens of real
 * kernels are the seeds, so that most damage meets something.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Btf } from '../../core/bpf/btf.js';
import { recordDecoder } from '../../core/bpf/record.js';
import { structLayout } from '../../core/bpf/struct.js';
import { MemWatcherError } from '../../core/errors.js';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { WhoIs } from '../../core/identity/who.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { MigrateTypes } from '../../core/memory/migrate-type.js';
import { DetailDecoder } from '../../plugins/paf/decoder.js';
import { attributesOf, bodyOf } from '../../plugins/paf/event.js';
import type { FailureZone } from '../../plugins/paf/failure.js';
import { kernel } from '../../plugins/paf/fake.js';
import { judge } from '../../plugins/paf/verdict/verdict.js';
import { attributesOfEpisode } from '../../plugins/pr/episode.js';
import type { PrSpan } from '../../plugins/pr/events.gen.js';
import { factlessKernel } from '../../plugins/pr/fake.js';
import { ProcstatDecoder } from '../../plugins/procstat/decoder.js';
import { SysstatDecoder } from '../../plugins/sysstat/decoder.js';
import { root } from '../conformance/harness.js';

const ROUNDS = 2000;

/** The same numbers every time, for a failure must come again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff];

/** Bytes set to edges, runs of them, a piece cut out, the end cut off. */
function damaged(bytes: Uint8Array, below: (limit: number) => number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let edits = 1 + below(4); edits > 0; edits--) {
    const at = below(copy.length);
    copy.fill(EDGES[below(EDGES.length)] ?? 0, at, at + 1 + below(12));
  }
  const [from, length] = [below(copy.length), below(3) === 0 ? below(200) : 0];
  const rest = Buffer.concat([copy.subarray(0, from), copy.subarray(from + length)]);
  return rest.subarray(0, below(4) === 0 ? below(rest.length) : rest.length);
}

/** Every number anywhere in `value` can be a metric. */
function assertFigures(value: unknown, path = ''): void {
  if (typeof value === 'number') assert(Number.isFinite(value) && value >= 0, `${path} ${value}`);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) assertFigures(item, `${path}.${key}`);
}

const goldens = (plugin: string) => {
  const files = globSync(`plugins/${plugin}/testdata/*.bin`, { cwd: root }).sort();
  assert(files.length > 1);
  return files.map((file) => readFileSync(join(root, file)));
};
const layoutOf = (plugin: string, name: string) =>
  structLayout(Btf.ofObject(readFileSync(join(root, `dist/bpf/${plugin}.bpf.o`))), name);

test('a damaged pass of procstat', () => {
  const layouts = {
    process: layoutOf('procstat', 'procstat_process'),
    thread: layoutOf('procstat', 'procstat_thread'),
  };
  const seeds = goldens('procstat');
  const below = random(20_261_123);
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = damaged(seeds[round % seeds.length] ?? Buffer.alloc(0), below);
    const decoder = new ProcstatDecoder(layouts, { pageSize: 4096, bootTime: 1_700_000_000_000 });
    const { processes, unreadable } = decoder.decode(bytes);
    assert(unreadable >= 0 && unreadable <= bytes.length);
    for (const process of processes) {
      assertFigures(process, `round ${round}`);
      assert.match(new Date(process.startTime).toISOString(), /Z$/);
    }
    found += processes.length;
  }
  assert(found > ROUNDS, `only ${found} processes survived: the damage meets nothing`);
});

test('damaged slots of sysstat', () => {
  const layout = layoutOf('sysstat', 'sysstat_node');
  const decoder = new SysstatDecoder(layout, 4096);
  const seeds = goldens('sysstat');
  const below = random(20_261_124);
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = damaged(seeds[round % seeds.length] ?? Buffer.alloc(0), below);
    const slots: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += layout.size) {
      slots.push(bytes.subarray(at, at + layout.size));
    }
    try {
      assertFigures(decoder.decode(slots), `round ${round}`);
      outcomes.read++;
    } catch (error) {
      assert(error instanceof MemWatcherError && error.code === 'LAYOUT_INVALID', `${error}`);
      outcomes.refused++;
    }
  }
  assert(outcomes.read > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
});

test('damaged details of paf', () => {
  const layout = layoutOf('paf', 'paf_detail');
  const gfp = GfpFlags.of(kernel);
  const migrateTypes = MigrateTypes.of(kernel);
  const whoIs = new WhoIs(nowhere, 1_700_000_000_000);
  const decoder = new DetailDecoder(layout, {
    flags: () => ({ gfp, cpusets: true }),
    unix: (ns) => ns / 1e6,
    who: (record) => whoIs.who(record),
  });
  const context = { gfp, migrateType: String, cgroup: () => undefined };
  const seeds = goldens('paf');
  const below = random(20_261_125);
  const reasons = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const seed = seeds[round % seeds.length] ?? Buffer.alloc(0);
    const from = below(seed.length / layout.size) * layout.size;
    // A ring's record is as long as it was reserved: only what is in it is damaged.
    const bytes = new Uint8Array(layout.size);
    bytes.set(damaged(seed.subarray(from, from + layout.size), below).subarray(0, layout.size));
    const { failure } = decoder.decode(new DataView(bytes.buffer), 0, layout.size);
    const zones = failure.zones.map(withoutReserve);
    assertFigures({ ...failure, zones }, `round ${round}`);
    const verdict = judge(failure, { gfp, migrateTypes, pageSize: 4096 });
    reasons.set(verdict.reason, (reasons.get(verdict.reason) ?? 0) + 1);
    assert(!/undefined|NaN|Infinity/.test(verdict.sentence), verdict.sentence);
    const { gfp: mask, order, migrateType, requester, time } = failure;
    const told = {
      ...{ request: { gfp: mask, order, migrateType }, count: 1, others: 0, first: time },
      ...{ last: time, requester, stack: [], detail: failure, verdict, frames: [] },
      ...{ flags: gfp.describe(mask), requestedFlags: undefined },
    };
    const attributes = attributesOf(told, context);
    assert(!Object.values(attributes).includes(undefined), `round ${round}`);
    assert(bodyOf(told, context).startsWith('A page allocation'));
  }
  assert(reasons.size > 2, JSON.stringify([...reasons]));
});

/** What is kept for others is signed in the kernel, and only reckoned with. */
const withoutReserve = ({ reserve: _, ...zone }: FailureZone) => zone;

/** Cgroups of a host that has none. */
const nowhere = new CgroupPaths({
  read: () => {
    throw new Error('gone');
  },
  tree: () => ({ find: () => undefined, confirms: () => undefined, idOf: () => undefined }),
});

test('damaged spans of pr', () => {
  const decoder = recordDecoder<PrSpan>(layoutOf('pr', 'pr_span'));
  const { size } = decoder.layout;
  const seeds = goldens('pr');
  const below = random(20_261_125);
  const tools = { flags: GfpFlags.of(factlessKernel), saysThrottling: true };
  const whoIs = new WhoIs(new CgroupPaths({ read: () => '', tree: () => noCgroups }));
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const seed = seeds[round % seeds.length] ?? Buffer.alloc(0);
    const bytes = damaged(seed.subarray(0, size), below);
    try {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const { who, episode } = decoder.decode(view, 0, bytes.byteLength);
      assertFigures(attributesOfEpisode(episode, tools), `round ${round}`);
      assertFigures(whoIs.attributes(who), `round ${round}`);
      outcomes.read++;
    } catch (error) {
      assert(error instanceof MemWatcherError && error.code === 'LAYOUT_INVALID', `${error}`);
      outcomes.refused++;
    }
  }
  assert(outcomes.read > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
});

const noCgroups = { find: () => undefined, confirms: () => undefined, idOf: () => undefined };
