import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { BpfHost, BpfLink, BpfObject } from '../bpf/host.js';
import { MemWatcherError, NotSupported } from '../errors.js';
import { silentLogger } from '../logger.js';
import type { Fact, Kernel, KernelProfile, Strategy, StrategyReport } from './kernel.js';
import { type BpfLoaderOptions, createBpfLoader, explain } from './loader.js';

/** What happened to objects and links, in order: `open`, `load a`, `attach a`, `close link a`… */
let events: string[] = [];
/** Steps that fail, by the same words. */
let failing = new Map<string, Error>();
let denied = new Set<string>();
let lacking = new Set<string>();
let reports: StrategyReport[] = [];
let btfPath: string | undefined;

beforeEach(() => {
  events = [];
  failing = new Map();
  denied = new Set();
  lacking = new Set();
  reports = [];
  btfPath = '/btf';
});

function step(event: string): void {
  events.push(event);
  const error = failing.get(event);
  if (error) throw error;
}

const host: BpfHost = {
  open(file, options) {
    step(options?.btfFile === undefined ? `open ${file}` : `open ${file} ${options.btfFile}`);
    let selected = '';
    const object: Partial<BpfObject> = {
      setConstant: (name, value) => step(`constant ${name}=${value}`),
      setMaxEntries: (map, entries) => step(`max ${map}=${entries}`),
      selectPrograms: (names) => {
        selected = names.join('+');
      },
      setHook: (program, hook) => step(`hook ${program}=${hook}`),
      omitMaps: (names) => {
        if (names.length > 0) step(`omit ${names.join('+')}`);
      },
      load: () => step(`load ${selected}`),
      attach: (program): BpfLink => {
        step(`attach ${program}`);
        const close = () => step(`close link ${program}`);
        return { program, close, readAll: () => new Uint8Array() };
      },
      close: () => step('close'),
    };
    return object as BpfObject;
  },
};

const kernel: Kernel = {
  release: '9.9.9-test',
  get btfPath() {
    return btfPath;
  },
  check(fact: Fact) {
    const name = String(Object.values(fact)[0]);
    const holds = !lacking.has(name) && !denied.has(name);
    return holds ? { holds } : { holds, missing: `thing ${name}` };
  },
  resolve(parameter) {
    if ('value' in parameter) return parameter.value;
    throw new NotSupported(`parameter ${Object.values(parameter)[0]}`);
  },
};

const strategy = (name: string, more: Partial<Strategy> = {}): Strategy => ({
  name,
  summary: name,
  programs: [name],
  ...more,
});

function loading(strategies: readonly Strategy[], more: Partial<BpfLoaderOptions> = {}) {
  const profile: KernelProfile = { plugin: 'demo', strategies };
  return createBpfLoader({
    host,
    kernel,
    profile,
    objectFile: 'demo.bpf.o',
    strategy: 'auto',
    logger: silentLogger,
    onReport: (report) => reports.push(report),
    ...more,
  });
}

const refused = new MemWatcherError('BPF_LOAD_FAILED', 'the kernel refuses a', {
  detail: 'one\ntwo\nthree\nfour\nR1 invalid mem access',
});
const permission = new MemWatcherError('PERMISSION_DENIED', 'EPERM; CAP_SYS_ADMIN missing');
const outcomes = () => reports[0]?.verdicts.map(({ strategy: s, outcome }) => `${s} ${outcome}`);

describe('the loader', () => {
  it('takes the first strategy that works and tries no other', () => {
    const loaded = loading([strategy('a'), strategy('b')]).load();
    assert.equal(loaded.strategy, 'a');
    assert.deepEqual([...loaded.links.keys()], ['a']);
    assert.deepEqual(events, ['open demo.bpf.o', 'load a', 'attach a']);
    assert.equal(reports[0]?.chosen, 'a');
    assert.deepEqual(outcomes(), ['a chosen', 'b not-tried']);
  });

  it('does everything before load, in order', () => {
    const full = strategy('a', {
      programs: ['a', 'run'],
      attach: ['a'],
      omit_maps: ['m'],
      constants: { offset: { value: 8 } },
      hooks: { a: 'renamed' },
    });
    const options = { constants: { own: true }, maxEntries: { table: 10 } };
    const { links } = loading([full], { btfFile: 'my.btf' }).load(options);
    assert.deepEqual(events, [
      'open demo.bpf.o my.btf',
      'constant offset=8',
      'constant own=true',
      'max table=10',
      'hook a=renamed',
      'omit m',
      'load a+run',
      'attach a',
    ]);
    assert.deepEqual([...links.keys()], ['a']);
  });

  it('closes links, newest first, then the object', () => {
    const loaded = loading([strategy('a', { programs: ['a', 'b'] })]).load();
    events = [];
    void loaded.close();
    assert.deepEqual(events, ['close link b', 'close link a', 'close']);
  });

  it('closes the object even where closing a link fails', () => {
    failing.set('close link a', new Error('stuck'));
    const loaded = loading([strategy('a')]).load();
    assert.throws(() => loaded.close(), AggregateError);
    assert.equal(events.at(-1), 'close');
  });

  it('opens nothing for a strategy whose facts do not hold', () => {
    lacking.add('missing_type').add('missing_field');
    const needs = [{ btf_type: 'missing_type' }, { btf_field: 'missing_field' }];
    loading([strategy('a', { needs }), strategy('b')]).load();
    assert.deepEqual(events, ['open demo.bpf.o', 'load b', 'attach b']);
    assert.deepEqual(reports[0]?.verdicts[0], {
      strategy: 'a',
      outcome: 'rejected',
      reasons: ['lacks thing missing_type', 'lacks thing missing_field'],
    });
  });

  it('opens nothing for a strategy whose constant cannot be resolved', () => {
    const constants = { one: { offset_of: 'x.y' }, two: { size_of: 'x.y' } };
    loading([strategy('a', { constants }), strategy('b')]).load();
    assert.equal(events[1], 'load b');
    assert.deepEqual(reports[0]?.verdicts[0]?.reasons, ['lacks parameter x.y']);
  });

  it('goes on where load is refused, and keeps the verifier’s last lines', () => {
    failing.set('load a', refused);
    assert.equal(loading([strategy('a'), strategy('b')]).load().strategy, 'b');
    assert.deepEqual(events.slice(0, 4), ['open demo.bpf.o', 'load a', 'close', 'open demo.bpf.o']);
    const said = 'the kernel refuses a\ntwo\nthree\nfour\nR1 invalid mem access';
    assert.deepEqual(reports[0]?.verdicts[0]?.reasons, [said]);
  });

  it('goes on where attach is refused, and closes what was attached', () => {
    failing.set('attach z', new NotSupported('the hook z'));
    const first = strategy('a', { programs: ['x', 'y', 'z'] });
    assert.equal(loading([first, strategy('b')]).load().strategy, 'b');
    assert.deepEqual(events.slice(4, 8), ['attach z', 'close link y', 'close link x', 'close']);
  });

  it('goes on where what was attached does not see', () => {
    const verify = ({ strategy: name }: { strategy: string }) => {
      step(`verify ${name}`);
    };
    failing.set('verify a', new NotSupported('a node'));
    assert.equal(loading([strategy('a'), strategy('b')]).load({ verify }).strategy, 'b');
    assert.deepEqual(events.slice(2, 6), ['attach a', 'verify a', 'close link a', 'close']);
    assert.deepEqual(reports[0]?.verdicts[0]?.reasons, ['this kernel lacks a node']);
  });

  it('goes on even where closing a refused strategy fails', () => {
    failing.set('load a', refused).set('close', new Error('stuck'));
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) };
    assert.equal(loading([strategy('a'), strategy('b')], { logger }).load().strategy, 'b');
    assert.deepEqual(warnings, [{ error: 'stuck' }]);
  });

  it('says every reason where nothing works', () => {
    lacking.add('t');
    failing.set('load b', refused);
    assert.throws(
      () => loading([strategy('a', { needs: [{ btf_type: 't' }] }), strategy('b')]).load(),
      (error: unknown) => {
        assert(error instanceof MemWatcherError);
        assert.equal(error.code, 'NO_STRATEGY');
        assert.match(error.message, /demo.*9\.9\.9-test/);
        assert.match(error.detail ?? '', /^a: lacks thing t\nb: the kernel refuses a\n/);
        return true;
      },
    );
    assert.deepEqual(outcomes(), ['a rejected', 'b rejected']);
    assert.equal(reports[0]?.chosen, undefined);
  });
});

describe('a strategy by name', () => {
  it('is the only one that is tried', () => {
    failing.set('load b', refused);
    const loader = loading([strategy('a'), strategy('b')], { strategy: 'b' });
    assert.throws(() => loader.load(), { code: 'NO_STRATEGY', message: /strategy b of demo/ });
    assert.deepEqual(outcomes(), ['a not-tried', 'b rejected']);
  });

  it('that is manual is taken only then', () => {
    const strategies = [strategy('a', { manual: true }), strategy('b')];
    assert.equal(loading(strategies).load().strategy, 'b');
    assert.equal(loading(strategies, { strategy: 'a' }).load().strategy, 'a');
  });

  it('that does not exist is a mistake of the configuration', () => {
    const loader = loading([strategy('iterator'), strategy('b')], { strategy: 'iterater' });
    assert.throws(() => loader.load(), {
      code: 'CONFIG_INVALID',
      message: /no strategy iterater; did you mean iterator/,
    });
    assert.deepEqual(events, []);
  });
});

describe('what no strategy could mend is said once', () => {
  const many = ['a', 'b', 'c'].map((name) => strategy(name));

  it('missing capabilities, before anything is opened', () => {
    denied.add('CAP_BPF').add('CAP_PERFMON');
    assert.throws(() => loading(many).load(), {
      code: 'PERMISSION_DENIED',
      message: 'CAP_BPF and CAP_PERFMON missing',
      hint: /setcap cap_bpf,cap_perfmon=ep .*AmbientCapabilities=CAP_BPF CAP_PERFMON/,
    });
    assert.deepEqual(events, []);
    assert.deepEqual(outcomes(), ['a not-tried', 'b not-tried', 'c not-tried']);
  });

  it('a kernel without BTF', () => {
    btfPath = undefined;
    assert.throws(() => loading(many).load(), { code: 'KERNEL_NOT_SUPPORTED', hint: /--btf/ });
    assert.deepEqual(events, []);
  });

  it('permission refused to each', () => {
    for (const { name } of many) failing.set(`load ${name}`, permission);
    assert.throws(() => loading(many).load(), permission);
    assert.deepEqual(outcomes(), ['a rejected', 'b rejected', 'c rejected']);
  });

  it('but permission refused to one leaves the others', () => {
    failing.set('attach a', permission);
    assert.equal(loading(many).load().strategy, 'b');
  });

  it('a mistake of ours', () => {
    failing.set('constant typo=1', new MemWatcherError('LAYOUT_INVALID', 'no constant typo'));
    assert.throws(() => loading(many).load({ constants: { typo: 1 } }), { code: 'LAYOUT_INVALID' });
    assert.deepEqual(events, ['open demo.bpf.o', 'constant typo=1', 'close']);
  });
});

describe('explain', () => {
  it('asks for facts and loads nothing', () => {
    lacking.add('t');
    const strategies = [strategy('a', { needs: [{ btf_type: 't' }] }), strategy('b')];
    assert.deepEqual(explain(kernel, { plugin: 'demo', strategies }), {
      plugin: 'demo',
      chosen: undefined,
      verdicts: [
        { strategy: 'a', outcome: 'rejected', reasons: ['lacks thing t'] },
        { strategy: 'b', outcome: 'not-tried', reasons: [] },
      ],
    });
    assert.deepEqual(events, []);
  });
});
