import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PointBatchBuilder } from '../../core/telemetry/points.js';
import { metadata } from './metadata.js';
import { report } from './report.js';
import { sample } from './sample.js';
import type { ProcstatSeries } from './snapshot.js';

const process = sample({
  pid: 42,
  usage: 31,
  peak: 60,
  virtual: 1000,
  virtualPeak: 1200,
  anon: 20,
  file: 10,
  shmem: 1,
  swap: 5,
  data: 500,
  stack: 33,
  pageTables: 81,
  locked: 3,
  hugetlb: 7,
  voluntarySwitches: 100,
  involuntarySwitches: 11,
  minorFaults: 70,
  majorFaults: 2,
});

const series: ProcstatSeries = {
  attributes: { 'process.pid': 42 },
  members: 1,
  process,
  memory: process,
  activity: process,
  startTime: 42_000,
};

const points = (all: boolean) => {
  const out = all ? new PointBatchBuilder(metadata, () => true) : new PointBatchBuilder(metadata);
  report({ series: [series], processes: 1 }, out);
  return out.build(1, 0).metrics.flatMap(({ name, scalars }) =>
    scalars.map(({ attributes, value, startTime }) => {
      const { 'process.pid': pid, ...more } = attributes;
      assert.equal(pid, 42);
      return [name, ...Object.values(more), value, ...(startTime ? [startTime] : [])];
    }),
  );
};

describe('report', () => {
  it('writes every figure under its name', () => {
    assert.deepEqual(points(true), [
      ['process.memory.usage', 31],
      ['process.memory.virtual', 1000],
      ['memwatcher.process.memory.peak', 60],
      ['memwatcher.process.memory.rss', 'anon', 20],
      ['memwatcher.process.memory.rss', 'file', 10],
      ['memwatcher.process.memory.rss', 'shmem', 1],
      ['memwatcher.process.memory.swap', 5],
      ['memwatcher.process.memory.data', 500],
      ['memwatcher.process.memory.stack', 33],
      ['memwatcher.process.memory.page_table', 81],
      ['memwatcher.process.memory.locked', 3],
      ['memwatcher.process.memory.hugetlb', 7],
      ['process.context_switches', 'voluntary', 100, 42_000],
      ['process.context_switches', 'involuntary', 11, 42_000],
      ['process.paging.faults', 'minor', 70, 42_000],
      ['process.paging.faults', 'major', 2, 42_000],
      ['memwatcher.process.memory.virtual_peak', 1200],
      ['memwatcher.process.count', 1],
    ]);
  });

  it('leaves out what is off by default', () => {
    const names = new Set(points(false).map(([name]) => name));
    assert.ok(!names.has('process.paging.faults'));
    assert.equal(names.size, 11);
  });

  it('says that the kernel keeps the counters of a process, and the plugin those of a group', () => {
    const countedBy = (process: ProcstatSeries['process']) => {
      const out = new PointBatchBuilder(metadata);
      report({ series: [{ ...series, process }], processes: 1 }, out);
      const counters = out.build(1, 0).metrics.filter(({ spec }) => spec.kind === 'counter');
      return new Set(counters.flatMap(({ scalars }) => scalars.map((point) => point.countedBy)));
    };
    assert.deepEqual(countedBy(series.process), new Set(['kernel']));
    assert.deepEqual(countedBy(undefined), new Set([undefined]));
  });
});
