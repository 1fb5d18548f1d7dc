/** The kernel's own books: what is read of them, and what of it is said to grow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAllocinfo } from './allocinfo.js';
import { kernelConfig } from './config.js';
import { coverageOf, type KernelCounts } from './counts.js';
import { decide } from './decision.js';
import { excessOf } from './excess.js';
import { GrowthDetector } from './growth.js';
import { parseMeminfo } from './meminfo.js';
import { Origins, tablesOf } from './origins.js';
import { Prelude } from './prelude.js';
import { isKmalloc, parseSlabinfo } from './slabinfo.js';

const SLABINFO = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>
filp              5000   5120    256   16    1 : tunables    0    0    0 : slabdata 320 320 0
kmalloc-64       40000  40960     64   64    1 : tunables    0    0    0 : slabdata 640 640 0
kmalloc-cg-64      100    128     64   64    1 : tunables    0    0    0 : slabdata 2 2 0
broken line without figures
`;
/** As 6.12 writes it, with the mark that later kernels may add. */
const ALLOCINFO = `allocinfo - version: 1.0
#     <size>  <calls> <tag info>
       40960       10 fs/pipe.c:812 func:alloc_pipe_info
           0        0 mm/unused.c:1 func:nobody
     2097152      512 drivers/net/x.c:77 [x_net] func:x_fill
        1024       16 fs/pipe.c:812 func:alloc_pipe_info
        4096        1 mm/late.c:9 func:early accurate:no
`;
const MiB = 1 << 20;

describe('the books of the kernel', () => {
  it('tell slab caches', () => {
    const caches = parseSlabinfo(SLABINFO);
    assert.deepEqual(
      caches.map(({ name, bytes }) => [name, bytes]),
      [
        ['filp', 5000 * 256],
        ['kmalloc-64', 40000 * 64],
        ['kmalloc-cg-64', 100 * 64],
      ],
    );
    assert.deepEqual(parseSlabinfo(''), []);
  });

  it('know which caches are kmalloc’s', () => {
    for (const name of ['kmalloc-64', 'dma-kmalloc-8k', 'kmalloc-rnd-03-96', 'msg_msg-1k']) {
      assert.ok(isKmalloc(name), name);
    }
    for (const name of ['filp', 'bio-312', 'biovec-64', 'kmalloc_like']) {
      assert.ok(!isKmalloc(name), name);
    }
  });

  it('tell places of the source, each once', () => {
    assert.deepEqual(parseAllocinfo(ALLOCINFO), [
      { place: 'fs/pipe.c:812 func:alloc_pipe_info', bytes: 41984, calls: 26 },
      { place: 'drivers/net/x.c:77 [x_net] func:x_fill', bytes: 2097152, calls: 512 },
      { place: 'mm/late.c:9 func:early', bytes: 4096, calls: 1 },
    ]);
  });

  it('tell what no figure accounts for', () => {
    const text = (free: number) =>
      `MemTotal: 1000 kB\nMemFree: ${free} kB\nActive: 200 kB\nInactive: 100 kB\nSlab: 50 kB\n` +
      'VmallocUsed: 20 kB\nPercpu: 10 kB\nPageTables: 5 kB\nKernelStack: 5 kB\n';
    assert.equal(parseMeminfo(text(600))?.unaccounted, 10 * 1024);
    assert.equal(parseMeminfo(text(500))?.unaccounted, 110 * 1024);
    assert.equal(parseMeminfo('nothing'), undefined);
  });
});

describe('what grows', () => {
  const options = { window: 1000, windows: 3, growth: MiB, quiet: 10 };
  const over = (bytes: (second: number) => number, seconds: number): GrowthDetector => {
    const detector = new GrowthDetector(options);
    for (let ms = 0; ms <= seconds * 1000; ms += 100) {
      detector.observe(ms, [['x', bytes(ms / 1000)]]);
    }
    return detector;
  };
  const grows = (bytes: (second: number) => number, seconds = 10) =>
    over(bytes, seconds).growing().length > 0;

  it('rises window by window, and by enough', () => {
    assert.ok(grows((s) => 10 * MiB + s * MiB));
    assert.ok(!grows((s) => 10 * MiB + s * 1000));
    assert.ok(!grows(() => 10 * MiB));
  });

  it('is found over longer windows if it is slow', () => {
    const slow = (s: number) => 10 * MiB + s * (MiB / 20);
    assert.ok(!grows(slow, 10));
    assert.ok(grows(slow, 60));
  });

  it('is no sawtooth, however high', () => {
    assert.ok(!grows((s) => 10 * MiB + (s % 1) * 100 * MiB, 60));
    // Longer than all windows together: it is looked at once, and not again.
    const long = (s: number) => 10 * MiB + (s % 7) * 100 * MiB;
    for (let seconds = 40; seconds < 90; seconds++) assert.ok(!grows(long, seconds), `${seconds}`);
  });

  it('is a sawtooth whose floor rises', () => {
    assert.ok(grows((s) => s * MiB + (s % 0.5) * 100 * MiB));
  });

  it('is quiet after a while without a new height', () => {
    const filled = (s: number) => Math.min(s, 5) * 10 * MiB;
    assert.ok(grows(filled, 8));
    assert.ok(!over(filled, 900).growing().length);
  });

  it('says how much an hour', () => {
    const [growth] = over((s) => s * MiB, 10).growing();
    assert.ok(growth && Math.abs(growth.perHour / MiB - 3600) < 200, `${growth?.perHour}`);
  });
});

describe('what is followed', () => {
  const surveyed = {
    caches: parseSlabinfo(SLABINFO),
    sites: parseAllocinfo(ALLOCINFO),
    pageSize: 4096,
  };
  const grown = (key: string) => ({ key, bytes: MiB, grown: MiB, perHour: MiB });
  const of = (config: object, ...keys: string[]) =>
    decide(kernelConfig.parse(config), keys.map(grown), surveyed);

  it('is nothing if nothing grows', () => {
    assert.deepEqual(of({}), { caches: [], pages: false, percpu: false });
  });

  it('is what grows', () => {
    assert.deepEqual(of({}, 'slab filp').caches, ['filp']);
    assert.ok(of({}, 'memory unaccounted').pages);
    assert.ok(of({}, 'memory vmalloc').pages);
    assert.ok(of({}, 'memory percpu').percpu);
  });

  it('is of a place that grows what has its size', () => {
    assert.ok(of({}, 'site drivers/net/x.c:77 [x_net] func:x_fill').pages);
  });

  it('is what is configured, and nothing that is to be ignored', () => {
    const followed = of({
      caches: ['kmalloc-*', 'absent'],
      ignore: ['*-cg-*'],
      always: ['percpu'],
    });
    assert.deepEqual(followed, { caches: ['kmalloc-64', 'absent'], pages: false, percpu: true });
    assert.deepEqual(of({ max_followed: 1 }, 'slab filp', 'slab kmalloc-64').caches, ['filp']);
  });

  it('is told to the programs by name, and by size where no tracepoint tells the cache', () => {
    const origins = new Origins();
    const some = ['filp', 'kmalloc-64', 'kmalloc-cg-64'];
    const exact = tablesOf(some, surveyed.caches, false, origins);
    assert.deepEqual([...exact.names.keys()], some);
    assert.deepEqual([...exact.sizes.keys()], [64 * 2 + 1]);
    assert.equal(origins.labelOf(exact.sizes.get(64 * 2 + 1) ?? 0), 'kmalloc-64|kmalloc-cg-64');
    const sized = tablesOf(some, surveyed.caches, true, origins);
    assert.equal(origins.labelOf(sized.sizes.get(256 * 2) ?? 0), 'filp');
  });
});

describe('what of the truth is left', () => {
  const counts: KernelCounts = {
    allocations: 10_000,
    recorded: 1000,
    frees: 20_000,
    matched: 500,
    live_full: 3,
    stacks_full: 2,
    busy_allocations: 1,
    busy_frees: 4,
    nested: 0,
    unseen_frees: 7,
    split_frees: 0,
    unwalked: 0,
    rescued: 9,
    page_hits: 0,
    page_recorded: 0,
    percpu_hits: 0,
    percpu_recorded: 0,
  };

  it('is what was not missed, runs that were left out in proportion', () => {
    const coverage = coverageOf(counts, { allocations: 100, frees: 400 }, 5);
    assert.deepEqual(coverage, {
      samplingInterval: 0,
      missedAllocations: 3 + 2 + 1 + 10,
      missedFrees: 4 + 10 + 5,
      recorded: 1000,
    });
  });

  it('is less by objects that are not there by the kernel’s books', () => {
    const held = (origin: string, allocations: number) => ({
      kind: 'cache' as const,
      reading: {
        source: { kind: 'kernel' as const },
        key: origin,
        frames: [],
        depth: 'end' as const,
        origin,
        bytes: 0,
        allocations,
        bytesError: 0,
        allocatedBytes: 0,
        allocatedCount: allocations,
        freedBytes: 0,
        freedCount: 0,
        firstSeen: 0,
      },
    });
    const caches = parseSlabinfo(SLABINFO);
    assert.equal(excessOf([held('filp', 5000)], caches), 0);
    assert.equal(excessOf([held('filp', 4000), held('filp', 1010)], caches), 10);
    assert.equal(excessOf([held('gone', 9)], caches), 0);
  });
});

describe('the innermost frames of a kernel stack', () => {
  const KALLSYMS = `ffffffff81000000 T _stext
ffffffff81001000 T bpf_trace_run4
ffffffff81002000 t __bpf_trace_mm_page_alloc
ffffffff81003000 T __alloc_frozen_pages_noprof
ffffffff81004000 T alloc_pages_mpol
ffffffff81005000 t pipe_write
ffffffff81006000 T vfs_write
ffffffff82000000 T _etext
`;
  const PROGRAM = 0xffffffffc0001000n;
  const stack = [PROGRAM, 0xffffffff81001010n, 0xffffffff81003020n, 0xffffffff81004100n];
  const CALLER = [0xffffffff81005077n, 0xffffffff81006011n];

  it('are left out where they are ours or the allocator’s', () => {
    assert.deepEqual(new Prelude(KALLSYMS).strip([...stack, ...CALLER]), CALLER);
    assert.deepEqual(new Prelude(KALLSYMS).strip(CALLER), CALLER);
  });

  it('stay where a module is the caller, and where the kernel hides addresses', () => {
    const module = 0xffffffffc0800000n;
    assert.deepEqual(new Prelude(KALLSYMS).strip([...stack, module]), [module]);
    const hidden = KALLSYMS.replaceAll(/^[0-9a-f]{16}/gm, '0'.repeat(16));
    assert.deepEqual(new Prelude(hidden).strip([...stack, ...CALLER]), [...stack, ...CALLER]);
  });
});
