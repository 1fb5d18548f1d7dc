import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Heartbeat, type Pulse } from './heartbeat.js';

const MIB = 1 << 20;

/** A minute of it, a second each: the first second in which something was said, and what. */
function live(second: (n: number) => Partial<Pulse>, seconds = 60) {
  const heartbeat = new Heartbeat();
  for (let time = 0; time < seconds; time++) {
    heartbeat.beat({ time, hits: 0, cpu: 0, rssAnon: 0, data: 0, ...second(time) });
    if (heartbeat.reason) return { time, reason: heartbeat.reason, heartbeat };
  }
  return undefined;
}

describe('nothing is said of who', () => {
  const cases: Readonly<Record<string, (n: number) => Partial<Pulse>>> = {
    sleeps: () => ({}),
    'works in the memory that it has': (n) => ({ cpu: n, rssAnon: 500 * MIB }),
    'calls its allocators': (n) => ({ cpu: n, rssAnon: n * MIB, hits: n }),
    'calls them seldom': (n) => ({ cpu: n, rssAnon: n * MIB, hits: Math.floor(n / 9) }),
    'grows without running, as one that another writes into': (n) => ({ rssAnon: n * MIB }),
    'grows and shrinks in a small range': (n) => ({ cpu: n, rssAnon: (n % 2) * (MIB / 2) }),
  };
  for (const [name, second] of Object.entries(cases)) {
    it(name, () => assert.equal(live(second), undefined));
  }
});

describe('something is said of who runs and grows without a hit', () => {
  it('from the start', () => {
    const said = live((n) => ({ cpu: n, rssAnon: n * MIB }));
    assert.equal(said?.time, 10);
    assert.match(said?.reason ?? '', /10 MiB in 10 s .* has one of its own/);
  });

  it('by mappings that it does not touch yet', () => {
    assert.ok(live((n) => ({ cpu: n, data: n * MIB })));
  });

  it('after it was seen well', () => {
    const said = live((n) => ({ cpu: n, rssAnon: n * MIB, hits: Math.min(n, 20) }));
    assert.equal(said?.time, 30);
    assert.match(said?.reason ?? '', /were called before/);
  });

  it('after it gave memory back', () => {
    const said = live((n) => ({ cpu: n, rssAnon: n < 15 ? 900 * MIB : 300 * MIB + n * MIB }));
    assert.ok(said && said.time > 15);
  });

  it('until a hit comes, and no growth is needed for it to stay', () => {
    const { heartbeat } = live((n) => ({ cpu: n, rssAnon: n * MIB })) ?? assert.fail();
    heartbeat.beat({ time: 20, hits: 0, cpu: 10, rssAnon: 0, data: 0 });
    assert.ok(heartbeat.reason);
    heartbeat.beat({ time: 21, hits: 1, cpu: 10, rssAnon: 0, data: 0 });
    assert.equal(heartbeat.reason, undefined);
  });

  it('not of what was before it was attached anew', () => {
    const { heartbeat } = live((n) => ({ cpu: n, rssAnon: n * MIB })) ?? assert.fail();
    heartbeat.reset();
    assert.equal(heartbeat.reason, undefined);
    heartbeat.beat({ time: 100, hits: 0, cpu: 100, rssAnon: 900 * MIB, data: 0 });
    assert.equal(heartbeat.reason, undefined);
  });
});
