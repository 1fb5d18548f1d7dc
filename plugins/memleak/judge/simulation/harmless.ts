import { arrivals, churn, rateFor, sizes } from './processes.js';
import type { Circumstances, Kind } from './program.js';
import { Trace } from './trace.js';

const harmless = (name: string, draw: (circumstances: Circumstances) => Trace): Kind => ({
  name,
  truth: 'harmless',
  draw,
});

const NEVER = Number.POSITIVE_INFINITY;

/** Programs that do not leak, many of which grow for a while. */
export const HARMLESS: readonly Kind[] = [
  harmless('cache of random keys', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const keys = random.integer(30, 4000);
    // Full to 85 % or more at the end of a horizon.
    const rate = (keys * random.scale(1.9, 20)) / horizon;
    const seen = new Set<number>();
    arrivals(random, 0, Math.min(length, 8 * horizon), Math.min(rate, 20_000 / horizon), (time) => {
      const key = random.integer(0, keys - 1);
      if (!seen.has(key)) trace.add(time, NEVER, size());
      seen.add(key);
    });
    return trace;
  }),
  harmless('cache that evicts the oldest', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const capacity = random.integer(20, 2000);
    const rate = capacity / (random.between(0.05, 0.7) * horizon);
    const times: number[] = [];
    arrivals(random, 0, length, rate, (time) => times.push(time));
    times.forEach((time, n) => {
      trace.add(time, times[n + capacity] ?? NEVER, size());
    });
    return trace;
  }),
  harmless('cache with a time to live', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const ttl = random.between(0.03, 0.6) * horizon;
    const rate = rateFor(random, horizon, 50, 3000);
    arrivals(random, 0, length, rate, (time) =>
      trace.add(time, time + ttl * random.between(1, 1.05), size()),
    );
    return trace;
  }),
  harmless('cache that stops at its capacity', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const full = random.between(0.05, 0.7) * horizon;
    const rate = random.scale(20, 3000) / full;
    arrivals(random, 0, Math.min(full, length), rate, (time) => trace.add(time, NEVER, size()));
    return trace;
  }),
  harmless('interned names', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const names = random.integer(50, 1000);
    const seen = new Set<number>();
    // Most of the rarest have been met by the end of a horizon: nearly all that there are.
    const rate = (names * Math.log(names) * random.scale(1.5, 6)) / horizon;
    arrivals(random, 0, Math.min(length, 8 * horizon), rate, (time) => {
      // Few names are most of what is met, as with words.
      const name = Math.floor(names ** random.next());
      if (!seen.has(name)) trace.add(time, NEVER, size());
      seen.add(name);
    });
    return trace;
  }),
  harmless('arena that is swept', ({ random, length, horizon }) => {
    const trace = new Trace();
    const chunk = random.scale(4096, 1 << 20);
    const period = random.scale(0.02, 0.45) * horizon;
    const wobble = random.between(0, 0.3);
    let from = 0;
    while (from < length) {
      const to = from + period * random.between(1 - wobble, 1 + wobble);
      arrivals(random, from, to, random.scale(5, 300) / period, (time) => {
        trace.add(time, random.chance(0.05) ? to + period : to, chunk);
      });
      from = to;
    }
    return trace;
  }),
  harmless('pool at its high-water mark', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const mean = random.scale(5, 500);
    let most = 0;
    arrivals(random, 0, length, 2000 / horizon, (time) => {
      const ramp = Math.min(1, time / (0.05 * horizon));
      const busy = ramp * (mean + Math.sqrt(mean) * 2 * random.normal());
      for (; most < busy; most++) trace.add(time, NEVER, size());
    });
    return trace;
  }),
  harmless('warm-up', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const warm = random.between(0.02, 0.6) * horizon;
    const many = random.scale(1, 4000);
    arrivals(random, 0, Math.min(warm, length), many / warm, (time) =>
      trace.add(time, NEVER, size()),
    );
    if (random.chance(0.3)) {
      churn(random, trace, length, {
        rate: rateFor(random, horizon, 100, 2000),
        lifetime: random.scale(0.001, 0.03) * horizon,
      });
    }
    if (trace.length === 0) trace.add(0.01, NEVER, size());
    return trace;
  }),
  harmless('freed at exit', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const until = random.between(0.02, 0.5) * horizon;
    arrivals(random, 0, Math.min(until, length), random.scale(5, 2000) / until, (time) =>
      trace.add(time, length * 0.995, size()),
    );
    if (trace.length === 0) trace.add(0.01, length * 0.995, size());
    return trace;
  }),
  harmless('sawtooth', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const period = random.scale(0.005, 0.45) * horizon;
    const idle = random.between(0, 0.6);
    arrivals(random, 0, length, rateFor(random, horizon, 200, 6000), (time) => {
      const phase = (time / period) % 1;
      if (phase >= idle) trace.add(time, (Math.floor(time / period) + 1) * period, size());
    });
    for (let n = random.integer(0, 30); n > 0; n--) trace.add(0.01, NEVER, size());
    return trace;
  }),
  harmless('batches', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    let from = 0;
    const period = random.scale(0.03, 0.42) * horizon;
    while (from < length) {
      const end = from + period * random.between(0.5, 0.95);
      arrivals(random, from, end, random.scale(20, 500) / period, (time) =>
        trace.add(time, end, size()),
      );
      from += period * random.between(0.97, 1.03);
    }
    return trace;
  }),
  harmless('configuration', ({ random }) => {
    const trace = new Trace();
    const size = sizes(random);
    for (let n = random.integer(1, 2000); n > 0; n--) {
      trace.add(random.between(0, 0.05), NEVER, size());
    }
    return trace;
  }),
  harmless('made when first needed', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    for (let n = random.integer(1, 5); n > 0; n--) {
      trace.add(random.between(0, Math.min(horizon, length)), NEVER, size());
    }
    return trace;
  }),
  harmless('sessions', ({ random, length, horizon }) => {
    const trace = new Trace();
    churn(random, trace, length, {
      rate: rateFor(random, horizon, 50, 5000),
      lifetime: random.scale(0.001, 0.4) * horizon,
    });
    return trace;
  }),
  harmless('sessions under rising load', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const lifetime = random.scale(0.005, 0.35) * horizon;
    const fixed = random.chance(0.5);
    const most = rateFor(random, horizon, 200, 6000);
    const floor = random.between(0, 0.5);
    arrivals(random, 0, length, most, (time) => {
      if (!random.chance(floor + ((1 - floor) * time) / length)) return;
      trace.add(time, time + (fixed ? lifetime : random.exponential(lifetime)), size());
    });
    return trace;
  }),
  harmless('sessions by day and night', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const lifetime = random.scale(0.002, 0.1) * horizon;
    const period = random.scale(0.2, 4) * horizon;
    const phase = random.next();
    arrivals(random, 0, length, rateFor(random, horizon, 500, 8000), (time) => {
      const load = 0.5 + 0.45 * Math.sin(2 * Math.PI * (time / period + phase));
      if (random.chance(load)) trace.add(time, time + random.exponential(lifetime), size());
    });
    return trace;
  }),
  harmless('buffer that doubles to its size', ({ random, length, horizon }) => {
    const trace = new Trace();
    const end = Math.min(random.between(0.01, 0.4) * horizon, length);
    let bytes = random.scale(64, 4096);
    let before = 0.01;
    for (let step = end / 2 ** random.integer(2, 8); step < end; step *= 2) {
      trace.add(before, step, bytes);
      before = step;
      bytes *= 2;
    }
    trace.add(before, NEVER, bytes);
    return trace;
  }),
  harmless('buffer for the largest message', ({ random, length, horizon }) => {
    const trace = new Trace();
    let bytes = 0;
    let before = 0;
    const spread = random.between(0.2, 1);
    arrivals(random, 0, length, rateFor(random, horizon, 500, 5000), (time) => {
      const needed = 4096 * Math.exp(spread * random.normal());
      if (needed <= bytes) return;
      if (bytes > 0) trace.add(before, time, bytes);
      before = time;
      bytes = needed;
    });
    trace.add(before, NEVER, bytes);
    return trace;
  }),
  harmless('threads up to a limit', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const limit = random.integer(2, 64);
    const ramp = random.between(0.02, 0.5) * horizon;
    for (let n = 0; n < limit; n++) {
      const time = (ramp * n) / limit;
      if (time < length) trace.add(time + 0.01, NEVER, size());
    }
    return trace;
  }),
  harmless('logs that rotate', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const period = random.between(0.02, 0.15) * horizon;
    const kept = random.integer(1, Math.max(1, Math.floor((0.6 * horizon) / period)));
    for (let time = random.next() * period; time < length; time += period) {
      trace.add(time, time + kept * period, 64 * size());
    }
    return trace;
  }),
  harmless('queue of changing length', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const rate = rateFor(random, horizon, 500, 6000);
    const service = 1 / (rate * random.between(1.05, 2));
    let free = 0;
    arrivals(random, 0, length, rate, (time) => {
      const begin = Math.max(free, time);
      free = begin + random.exponential(service);
      trace.add(time, free, size());
    });
    return trace;
  }),
  harmless('queue that is just kept up with', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const rate = rateFor(random, horizon, 300, 6000);
    const service = 1 / (rate * random.between(0.97, 1.05));
    let free = 0;
    arrivals(random, 0, length, rate, (time) => {
      free = Math.max(free, time) + random.exponential(service);
      trace.add(time, free, size());
    });
    return trace;
  }),
  harmless('sessions that last longer under rising load', ({ random, length, horizon }) => {
    const trace = new Trace();
    const size = sizes(random);
    const shortest = random.scale(0.005, 0.15) * horizon;
    const floor = random.between(0, 0.6);
    arrivals(random, 0, length, rateFor(random, horizon, 200, 6000), (time) => {
      const load = floor + ((1 - floor) * time) / length;
      if (!random.chance(load)) return;
      trace.add(time, time + shortest * (1 + 2 * load) * random.between(0.5, 1.5), size());
    });
    return trace;
  }),
];

/** What nothing within the run tells from the other: counted apart. */
export const UNKNOWABLE: readonly Kind[] = [
  {
    name: 'cache that still fills evenly at the end',
    truth: 'unknowable',
    draw: ({ random, length, horizon }) => {
      const trace = new Trace();
      const size = sizes(random);
      const rate = rateFor(random, horizon, 20, 3000);
      arrivals(random, 0, length, rate, (time) => trace.add(time, NEVER, size()));
      return trace;
    },
  },
  {
    name: 'cycle longer than half the run',
    truth: 'unknowable',
    draw: ({ random, length }) => {
      const trace = new Trace();
      const size = sizes(random);
      const period = random.between(0.6, 1.2) * length;
      arrivals(random, 0, length, rateFor(random, length, 100, 4000), (time) =>
        trace.add(time, (Math.floor(time / period) + 1) * period, size()),
      );
      return trace;
    },
  },
];
