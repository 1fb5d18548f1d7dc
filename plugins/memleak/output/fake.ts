/** Snapshots without a kernel: stacks as C, C++, Rust, a JIT, the kernel and a stripped file have them. */
import type { Frame } from '../../../core/symbolize/frame.js';
import type {
  Judgement,
  LeakSnapshot,
  LeakStack,
  Reach,
  Reading,
  Source,
  Target,
} from '../model.js';

export const SHOP: Source = { kind: 'process', pid: 2429, startTime: 1_000_000_000 };
const KERNEL: Source = { kind: 'kernel' };
const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const EXECUTABLE = '/usr/bin/shop';
const BUILD_ID = '7c2a9f4e5b0d1c3a8e6f7b9d0c1e2f3a4b5c6d7e';
const LIBC_BUILD_ID = 'c047672cae7964324658491e7dee26748ae5d2f8';

const own = (
  address: number,
  functionAddress: number,
  offset: number,
  name: string,
  place?: readonly [string, number],
): Frame => ({
  address: 0x55e032026000n + BigInt(address),
  function: name,
  functionAddress: BigInt(functionAddress),
  offset,
  ...(place && { file: place[0], line: place[1] }),
  inlined: false,
  module: EXECUTABLE,
  buildId: BUILD_ID,
  moduleAddress: BigInt(address),
});

const inlinedInto = (frame: Frame, name: string, file: string, line: number): Frame => ({
  address: frame.address,
  function: name,
  file,
  line,
  inlined: true,
  module: EXECUTABLE,
  buildId: BUILD_ID,
  moduleAddress: frame.moduleAddress ?? 0n,
});

const START_THREAD: Frame = {
  address: 0x7f1ca1d66609n,
  function: 'start_thread',
  functionAddress: 0x8530n,
  offset: 0xd9,
  inlined: false,
  module: '/usr/lib/x86_64-linux-gnu/libc.so.6',
  buildId: LIBC_BUILD_ID,
  moduleAddress: 0x8609n,
};

/** The original's own example. */
export const C_FRAMES: readonly Frame[] = [
  own(0x1205, 0x11e9, 0x1c, 'alloc_v3', ['/test_leak.c', 11]),
  own(0x1228, 0x120f, 0x19, 'alloc_v2', ['/test_leak.c', 17]),
  own(0x124b, 0x1232, 0x19, 'alloc_v1', ['/test_leak.c', 23]),
  own(0x1287, 0x1255, 0x32, 'memory_leak', ['/test_leak.c', 35]),
  START_THREAD,
];

const INSERT = own(0x4a10, 0x49c0, 0x50, 'shop::Cart::add(shop::Item const&)', [
  '/src/cart.cc',
  88,
]);

export const CXX_FRAMES: readonly Frame[] = [
  {
    address: 0x7f1ca20a1298n,
    function: 'operator new(unsigned long)',
    functionAddress: 0xa1280n,
    offset: 0x18,
    inlined: false,
    module: '/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30',
    buildId: 'd1e2f3a4b5c6d7e87c2a9f4e5b0d1c3a8e6f7b9d',
    moduleAddress: 0xa1298n,
  },
  inlinedInto(
    INSERT,
    'std::__new_allocator<shop::Item>::allocate',
    '/usr/include/c++/12/bits/new_allocator.h',
    137,
  ),
  inlinedInto(
    INSERT,
    'std::vector<shop::Item>::push_back(shop::Item const&)',
    '/usr/include/c++/12/bits/stl_vector.h',
    1287,
  ),
  INSERT,
  own(0x5d33, 0x5c00, 0x133, 'shop::serve(shop::Request&)', ['/src/serve.cc', 214]),
  START_THREAD,
];

export const RUST_FRAMES: readonly Frame[] = [
  own(0x8120, 0x8100, 0x20, '<alloc::raw_vec::RawVec<u8>>::grow_one', [
    '/rustc/90b35a62/library/alloc/src/raw_vec.rs',
    402,
  ]),
  own(0x8f44, 0x8e00, 0x144, 'shop::index::<impl Index>::remember::{closure#0}', [
    'src/index.rs',
    61,
  ]),
  own(0x5e02, 0x5c00, 0x202, 'shop::serve(shop::Request&)', ['/src/serve.cc', 220]),
  START_THREAD,
];

const JIT_FRAMES: readonly Frame[] = [
  { address: 0x7f1c90001a40n, function: 'LazyCompile:*render /app/page.js:40', inlined: false },
  own(0x5d33, 0x5c00, 0x133, 'shop::serve(shop::Request&)', ['/src/serve.cc', 214]),
  START_THREAD,
];

const KERNEL_FRAMES: readonly Frame[] = [
  kernelFrame(0xffffffff95127b02n, '__alloc_pages', 0xffffffff951278a0n, 0x262),
  kernelFrame(0xffffffff95147bb0n, 'alloc_pages', 0xffffffff95147b40n, 0x70),
  {
    ...kernelFrame(0xffffffffc0a11041n, 'nf_hook_slow', 0xffffffffc0a11000n, 0x41),
    module: 'nf_tables',
  },
];

function kernelFrame(
  address: bigint,
  name: string,
  functionAddress: bigint,
  offset: number,
): Frame {
  return { address, function: name, functionAddress, offset, inlined: false, module: '[kernel]' };
}

const NAMELESS_FRAMES: readonly Frame[] = [
  {
    address: 0x7f1ca3001234n,
    inlined: false,
    module: '/opt/vendor/libblob.so',
    moduleAddress: 0x1234n,
    lack: 'no symbols',
  },
  { address: 0x7f1ca4440010n, inlined: false, lack: 'in no file' },
];

/** Names as somebody would choose them who wants to break what prints them. */
export const HOSTILE_NAME = 'a;b c\n99 <script>alert("1")</script>\u001b[31m\u202e&\'\ud800 7';
const HOSTILE_FRAMES: readonly Frame[] = [
  own(0x9100, 0x9000, 0x100, HOSTILE_NAME, ['/tmp/x\n;y "<z>".c', 3]),
  START_THREAD,
];

export interface FakeStack {
  readonly id: string;
  readonly source?: Source;
  readonly frames: readonly Frame[];
  readonly bytes: number;
  readonly allocations: number;
  readonly judgement?: Partial<Judgement>;
  readonly oldest?: number;
  readonly bytesError?: number;
  readonly origin?: string;
  readonly reach?: Reach;
}

export function fakeStack(stack: FakeStack): LeakStack {
  const { id, source = SHOP, frames, bytes, allocations, judgement = {}, oldest = 40 } = stack;
  const reading: Reading = {
    source,
    key: id,
    frames: frames.filter(({ inlined }) => !inlined).map(({ address }) => address),
    depth: 'end',
    ...(stack.origin !== undefined && { origin: stack.origin }),
    bytes,
    allocations,
    bytesError: stack.bytesError ?? 0,
    allocatedBytes: bytes * 2,
    allocatedCount: allocations * 2,
    freedBytes: bytes,
    freedCount: allocations,
    firstSeen: 5e9,
    ...(stack.reach && { reach: stack.reach }),
  };
  return {
    id,
    reading,
    judgement: {
      state: 'watching',
      coverage: 1,
      since: NOW - 20_000,
      reason: 'too little was seen',
      ...judgement,
    },
    firstSeen: NOW - 42_000,
    ageQuantiles: { p50: oldest / 2, p90: oldest * 0.9, oldest },
    frames,
  };
}

export const fakeTarget = (changes: Partial<Target> = {}): Target => ({
  source: SHOP,
  comm: 'shop',
  executable: 'shop',
  attributes: { 'process.pid': 2429, 'process.executable.name': 'shop' },
  allocators: ['glibc'],
  coverage: { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded: 1_234_567 },
  bytes: 6_400_000,
  allocations: 60_000,
  rssAnon: 9_000_000,
  ...changes,
});

const KERNEL_TARGET: Target = {
  source: KERNEL,
  comm: 'kernel',
  executable: '',
  attributes: {},
  allocators: ['pages'],
  bytes: 40_960,
  allocations: 10,
  coverage: { samplingInterval: 0, missedAllocations: 0, missedFrees: 3, recorded: 4000 },
};

const LEAK: Partial<Judgement> = {
  state: 'confirmed',
  class: 'leak',
  kind: 'lost',
  confidence: 0.98,
  growth: 360_000_000,
  reason: 'the floor rose in 9 of 9 windows, and nothing older than a window was freed',
};

export const STACKS: readonly LeakStack[] = [
  fakeStack({ id: '00000000000000c1', frames: C_FRAMES, bytes: 8, allocations: 2, oldest: 3 }),
  fakeStack({
    id: '00000000000000c2',
    frames: CXX_FRAMES,
    bytes: 6_000_000,
    allocations: 50_000,
    judgement: LEAK,
    reach: {
      time: 40,
      lost: 49_000,
      lostRecords: 49_000,
      lostBytes: 5_880_000,
      reached: 1000,
      reachedBytes: 120_000,
      isHidden: false,
    },
  }),
  fakeStack({
    id: '00000000000000c3',
    frames: RUST_FRAMES,
    bytes: 262_144.4,
    allocations: 15.8,
    bytesError: 30_000,
    judgement: {
      state: 'suspected',
      class: 'leak',
      confidence: 0.71,
      growth: 15_000_000,
      coverage: 0.97,
    },
  }),
  fakeStack({
    id: '00000000000000c4',
    frames: JIT_FRAMES,
    bytes: 90_000,
    allocations: 900,
    judgement: { class: 'churn', confidence: 0.9 },
  }),
  fakeStack({
    id: '00000000000000c5',
    source: KERNEL,
    frames: KERNEL_FRAMES,
    bytes: 40_960,
    allocations: 10,
    origin: 'pages',
    judgement: { state: 'resolved', class: 'filling', confidence: 0.8, growth: 0 },
  }),
  fakeStack({ id: '00000000000000c6', frames: NAMELESS_FRAMES, bytes: 4096, allocations: 1 }),
  fakeStack({ id: '00000000000000c7', frames: HOSTILE_FRAMES, bytes: 1024, allocations: 4 }),
];

export const fakeSnapshot = (changes: Partial<LeakSnapshot> = {}): LeakSnapshot => ({
  startTime: NOW - 42_000,
  time: NOW,
  targets: [fakeTarget(), KERNEL_TARGET],
  stacks: STACKS,
  omitted: 0,
  states: [
    { state: 'watching', count: 4 },
    { state: 'confirmed', class: 'leak', count: 1 },
    { state: 'suspected', class: 'leak', count: 1 },
    { state: 'resolved', class: 'filling', count: 1 },
  ],
  symbolizer: { unresolved: 2, restarts: 0 },
  ...changes,
});
