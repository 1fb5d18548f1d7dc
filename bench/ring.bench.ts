import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BpfObject } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { type BenchRow, median } from './bench.js';

export const title = 'Ring buffer: reading records of 64 bytes';

const OBJECT = fileURLToPath(new URL('../bpf/flood.bpf.o', import.meta.url));
const PEER = fileURLToPath(new URL('../../bench/ring-peer.c', import.meta.url));
/** Of 1024 records of 72 bytes each, into a ring of 1 MiB. */
const RUNS = 14;
const ROUNDS = 400;
const TARGET = 60;

export async function run(): Promise<BenchRow[]> {
  const ours = own();
  const peer = libbpf();
  const unit = 'ns/event';
  return [
    { name: 'mapped reader', value: ours, unit, target: `≤ ${TARGET}`, met: ours <= TARGET },
    typeof peer === 'number'
      ? { name: 'libbpf in C', value: peer, unit, note: 'the limit' }
      : { name: 'libbpf in C', value: Number.NaN, unit, note: peer },
    ...(typeof peer === 'number' ? [{ name: 'ratio', value: ours / peer, unit: '×' }] : []),
  ];
}

function own(): number {
  const object: BpfObject = createBpfHost().open(OBJECT);
  try {
    object.selectPrograms(['fill_stream']);
    object.load();
    const ring = object.map('stream').ring();
    let sum = 0;
    const onRecord = (view: DataView, offset: number) => {
      sum += view.getUint32(offset, true) + view.getUint32(offset + 8, true);
    };
    const times: number[] = [];
    for (let round = -ROUNDS / 4; round < ROUNDS; round++) {
      for (let index = 0; index < RUNS; index++) object.run('fill_stream');
      const start = process.hrtime.bigint();
      const records = ring.drain(onRecord);
      const took = Number(process.hrtime.bigint() - start);
      if (records !== RUNS * 1024) throw new Error(`${records} records, sum ${sum}`);
      if (round >= 0) times.push(took / records);
    }
    return median(times);
  } finally {
    object.close();
  }
}

/** The same by libbpf's own consumer; why not, where it cannot be built. */
function libbpf(): number | string {
  const directory = mkdtempSync(join(tmpdir(), 'mem-watcher-bench-'));
  try {
    const program = join(directory, 'ring-peer');
    const built = spawnSync('gcc', ['-O2', '-o', program, PEER, '-lbpf'], { encoding: 'utf8' });
    if (built.status !== 0) return `needs gcc and libbpf-dev: ${built.stderr ?? built.error}`;
    const ran = spawnSync(program, [OBJECT, `${RUNS}`, `${ROUNDS}`], { encoding: 'utf8' });
    if (ran.status !== 0) return `failed: ${ran.stderr}`;
    return median(ran.stdout.trim().split('\n').map(Number));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
