import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BootSources, measureBoot } from './boot-clock.js';
import { bootTime } from './host.js';

const TIMERS = `Timer List Version: v0.10
now at 644271572862 nsecs

cpu: 0
 clock 0:
  .index:      0
  .resolution: 1 nsecs
  .offset:     0 nsecs
active timers:
 #0: <00000000e8eb71f2>, tick_nohz_handler, S:01
 clock 1:
  .base:       00000000b95c323c
  .index:      1
  .resolution: 1 nsecs
  .offset:     1795986062661183811 nsecs
active timers:
 clock 2:
  .base:       00000000b95c323c
  .index:      2
  .resolution: 1 nsecs
  .offset:     5000000000 nsecs
active timers:
`;

const sources = (changes: Partial<BootSources> = {}): BootSources => ({
  timers: () => TIMERS,
  uptime: () => '12.34 20.00\n',
  clock: () => 1_700_000_012_345,
  btime: () => 1_700_000_000_000,
  ...changes,
});

describe('measureBoot', () => {
  it('takes the kernel’s own figure, less the time asleep', () => {
    assert.equal(measureBoot(sources()), 1_795_986_057_661);
  });

  it('measures as a hundredth of a second begins, where that may not be read', () => {
    const ticks = ['12.34', '12.34', '12.35'];
    const uptime = () => `${ticks.length > 1 ? ticks.shift() : ticks[0]} 20.00\n`;
    assert.equal(measureBoot(sources({ timers: () => undefined, uptime })), 1_699_999_999_995 + 5);
  });

  it('agrees with btime of this kernel', () => {
    const fraction = measureBoot() - bootTime();
    assert.ok(fraction >= 0 && fraction < 1000, `${fraction} ms apart`);
  });

  it('is the same every time on this machine', () => {
    if (process.getuid?.() === 0) assert.equal(measureBoot(), measureBoot());
  });
});
