import { arrivals, churn, rateFor, sizes } from './processes.js';
import type { Circumstances, Kind } from './program.js';
import { Trace } from './trace.js';

const leak = (name: string, draw: (circumstances: Circumstances) => Trace): Kind => ({
  name,
  truth: 'leak',
  draw,
});

const NEVER = Number.POSITIVE_INFINITY;

/** Programs that leak. */
export const LEAKS: readonly Kind[] = [
  leak('steady', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const rate = rateFor(random, horizon, 20, 4000);
    arrivals(random, 0, length, rate, (time) => trace.add(time, NEVER, size()));
    return trace;
  }),
  leak('steady, begins late', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const rate = rateFor(random, horizon, 30, 2000);
    const from = random.between(0.02, 0.12) * horizon;
    for (let n = random.integer(0, 5); n > 0; n--) trace.add(0.01, NEVER, size());
    arrivals(random, from, length, rate, (time) => trace.add(time, NEVER, size()));
    return trace;
  }),
  leak('bursts', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const bursts = random.scale(10, 30) / horizon;
    const many = random.integer(2, 200);
    arrivals(random, 0, length, bursts, (time) => {
      const now = Math.max(1, Math.round(many * random.between(0.5, 1.5)));
      for (let n = 0; n < now; n++) trace.add(time + n * 1e-4, NEVER, size());
    });
    return trace;
  }),
  leak('slow among churn', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    churn(random, trace, length, {
      rate: rateFor(random, horizon, 2000, 12_000),
      lifetime: random.scale(0.0002, 0.06) * horizon,
    });
    const rate = rateFor(random, horizon, 25, 100);
    arrivals(random, 0, length, rate, (time) => trace.add(time, NEVER, size()), false);
    return trace;
  }),
  leak('some requests', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const share = random.scale(0.01, 0.5);
    const lifetime = random.scale(0.0005, 0.05) * horizon;
    const rate = Math.max(rateFor(random, horizon, 100, 6000), 40 / share / horizon);
    arrivals(random, 0, length, Math.min(rate, 10_000 / horizon), (time) => {
      trace.add(time, random.chance(share) ? NEVER : time + random.exponential(lifetime), size());
    });
    return trace;
  }),
  leak('container that doubles', ({ random, length, horizon }) => {
    const trace = new Trace();
    const element = random.scale(4, 256);
    const factor = random.pick([1.5, 2, 2]);
    const rate = rateFor(random, horizon, 2000, 1e7);
    let capacity = random.integer(1, 8);
    let time = 0.001;
    while (time < length) {
      const full = capacity / rate;
      trace.add(time, full, capacity * element);
      time = full;
      capacity = Math.ceil(capacity * factor);
    }
    return trace;
  }),
  leak('container grown in steps', ({ random, length, horizon }) => {
    const trace = new Trace();
    const step = random.scale(16, 4096);
    let bytes = 0;
    let before = 0;
    arrivals(random, 0, length, rateFor(random, horizon, 20, 3000), (time) => {
      if (bytes > 0) trace.add(before, time, bytes);
      bytes += step;
      before = time;
    });
    trace.add(before, NEVER, bytes);
    return trace;
  }),
  leak('realloc chains', ({ random, length, horizon }) => {
    const trace = new Trace();
    const links = random.integer(2, 6);
    const pause = random.scale(0.0001, 0.01) * horizon;
    arrivals(random, 0, length, rateFor(random, horizon, 20, 1000), (time) => {
      let bytes = random.scale(16, 256);
      for (let n = 1; n < links; n++) {
        trace.add(time + (n - 1) * pause, time + n * pause, bytes);
        bytes *= 2;
      }
      trace.add(time + (links - 1) * pause, NEVER, bytes);
    });
    return trace;
  }),
  leak('thread exit', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const each = random.integer(1, 8);
    const regular = random.chance(0.7);
    const rate = rateFor(random, horizon, 12, 300);
    const lifetime = random.scale(0.001, 0.05) * horizon;
    arrivals(
      random,
      0,
      length,
      rate,
      (time) => {
        for (let n = 0; n < each; n++) trace.add(time + n * lifetime * 0.1, NEVER, size());
        trace.add(time, time + lifetime, size());
      },
      regular,
    );
    return trace;
  }),
  leak('lost pointer', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const rate = rateFor(random, horizon, 15, 200);
    arrivals(random, 0, length, rate, (time) => trace.add(time, NEVER, size()), true);
    return trace;
  }),
  leak('after a warm-up', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const warm = random.between(0.02, 0.15) * horizon;
    arrivals(random, 0, warm, random.scale(50, 3000) / warm, (time) =>
      trace.add(time, NEVER, size()),
    );
    const rate = rateFor(random, horizon, 40, 2000);
    arrivals(random, warm, length, rate, (time) => trace.add(time, NEVER, size()));
    return trace;
  }),
  leak('in a sawtooth', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const period = random.scale(0.01, 0.12) * horizon;
    arrivals(random, 0, length, rateFor(random, horizon, 500, 6000), (time) => {
      trace.add(time, (Math.floor(time / period) + 1) * period, size());
    });
    arrivals(random, 0, length, rateFor(random, horizon, 30, 1000), (time) => {
      trace.add(time, NEVER, size());
    });
    return trace;
  }),
  leak('under changing load', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const lifetime = random.scale(0.0005, 0.03) * horizon;
    const swing = random.between(0, 0.5);
    const period = random.scale(0.1, 1) * horizon;
    const share = random.scale(0.02, 1);
    arrivals(random, 0, length, Math.min(1e4, random.scale(60, 1500) / share) / horizon, (time) => {
      if (!random.chance(1 - swing + swing * Math.sin((2 * Math.PI * time) / period))) return;
      trace.add(time, random.chance(share) ? NEVER : time + random.exponential(lifetime), size());
    });
    return trace;
  }),
  leak('of several threads', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    for (let thread = random.integer(2, 16); thread > 0; thread--) {
      const from = random.between(0, 0.05) * horizon;
      const rate = rateFor(random, horizon, 10, 300);
      arrivals(random, from, length, rate, (time) => trace.add(time, NEVER, size()));
    }
    return trace;
  }),
  leak('queue that falls behind', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    // So many that what is left behind is beyond what chance leaves behind.
    const rate = rateFor(random, horizon, 1500, 8000);
    const service = 1 / (rate * random.between(0.4, 0.85));
    const regular = random.chance(0.5);
    let free = 0;
    arrivals(random, 0, length, rate, (time) => {
      free = Math.max(free, time) + (regular ? service : random.exponential(service));
      trace.add(time, free, size());
    });
    return trace;
  }),
];
