import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { BpfHost, BpfLink, BpfObject, LoadedBpf } from '../bpf/host.js';
import { MemWatcherError, NotSupported } from '../errors.js';
import { silentLogger } from '../logger.js';
import type {
  Choice,
  Fact,
  Kernel,
  KernelProfile,
  Part,
  Strategy,
  StrategyReport,
} from './kernel.js';
import { type BpfLoaderOptions, createBpfLoader, explain } from './loader.js';

/** What happened to objects and links, in order: `open`, `load a`, `attach a`, `close link a`… */
let events: string[] = [];
let openObjects = 0;
/** Steps that fail, by the same words; a load of `a+b` also where more is loaded with them. */
let failing = new Map<string, Error>();
let denied = new Set<string>();
let lacking = new Set<string>();
let reports: StrategyReport[] = [];
let btfPath: string | undefined;

beforeEach(() => {
  events = [];
  openObjects = 0;
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
    openObjects++;
    let selected: readonly string[] = [];
    const object: Partial<BpfObject> = {
      programs: [],
      setConstant: (name, value) => step(`constant ${name}=${value}`),
      setMaxEntries: (map, entries) => step(`max ${map}=${entries}`),
      allocateOnDemand: (map) => step(`on demand ${map}`),
      selectPrograms: (names) => {
        selected = names;
      },
      setHook: (program, hook) => step(`hook ${program}=${hook}`),
      omitMaps: (names) => {
        if (names.length > 0) step(`omit ${names.join('+')}`);
      },
      load: () => {
        step(`load ${selected.join('+')}`);
        for (const [event, error] of failing) {
          const [what, programs = ''] = event.split(' ');
          if (what !== 'load') continue;
          if (programs.split('+').every((program) => selected.includes(program))) throw error;
        }
      },
      attach: (program): BpfLink => {
        step(`attach ${program}`);
        const close = () => step(`close link ${program}`);
        return { program, close, readAll: () => new Uint8Array() };
      },
      close: () => {
        openObjects--;
        step('close');
      },
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
  enumerators: () => undefined,
};

const strategy = (name: string, more: Partial<Strategy & Choice> = {}): Strategy => ({
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
        assert.match(
          error.message,
          /demo.*9\.9\.9-test\): the kernel refuses a: R1 invalid mem access$/,
        );
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
      parts: [],
    });
    assert.deepEqual(events, []);
  });
});

describe('parts', () => {
  const part = (name: string, ...choices: Choice[]): Part => ({
    name,
    summary: name,
    lacks: [`the ${name}`],
    choices,
  });
  const withParts = (parts: readonly Part[], strategies = [strategy('s')]) =>
    loading([], { profile: { plugin: 'demo', strategies, parts } });
  const loads = () => events.filter((event) => event.startsWith('load '));
  const verdictsOf = (name: string) =>
    reports[0]?.parts
      .find((report) => report.part === name)
      ?.verdicts.map(({ strategy: choice, outcome }) => `${choice} ${outcome}`);
  const reasons = (name: string) =>
    reports[0]?.parts
      .find((report) => report.part === name)
      ?.verdicts.map((verdict) => verdict.reasons.join());

  it('are loaded with the strategy in one load, each by its first choice', () => {
    const p = part('p', strategy('p1', { constants: { with_p: { value: 1 } } }), strategy('p2'));
    const q = part(
      'q',
      strategy('q1', { programs: ['q1', 'run'], attach: ['q1'], hooks: { q1: 'f' } }),
    );
    const loaded = withParts([p, q]).load({ constants: { own: 2 } });
    assert.deepEqual(events, [
      'open demo.bpf.o',
      'constant with_p=1',
      'constant own=2',
      'hook q1=f',
      'load s+p1+q1+run',
      'attach s',
      'attach p1',
      'attach q1',
    ]);
    assert.deepEqual(
      [...loaded.parts],
      [
        ['p', 'p1'],
        ['q', 'q1'],
      ],
    );
    assert.deepEqual(loaded.programs, ['s', 'p1', 'q1', 'run']);
    assert.deepEqual([...loaded.links.keys()], ['s', 'p1', 'q1']);
    assert.deepEqual(loaded.lacks, []);
    assert.deepEqual(verdictsOf('p'), ['p1 chosen', 'p2 not-tried']);
  });

  it('whose facts do not hold cost no load', () => {
    lacking.add('t');
    const p = part('p', strategy('p1', { needs: [{ btf_type: 't' }] }), strategy('p2'));
    const q = part('q', strategy('q1', { constants: { c: { size_of: 'x' } } }));
    const loaded = withParts([p, q]).load();
    assert.deepEqual(loads(), ['load s+p2']);
    assert.deepEqual([...loaded.parts], [['p', 'p2']]);
    assert.deepEqual(loaded.lacks, ['the q']);
    assert.deepEqual(reasons('p'), ['lacks thing t', '']);
    assert.deepEqual(reasons('q'), ['lacks parameter x']);
  });

  it('that cannot be loaded are found out, and their next choice is taken', () => {
    failing.set('load p1', refused);
    const parts = [part('o', strategy('o1')), part('p', strategy('p1'), strategy('p2'))];
    const loaded = withParts(parts).load();
    assert.deepEqual(loads(), [
      'load s+o1+p1',
      'load s',
      'load s+o1',
      'load s+o1+p1',
      'load s+o1+p2',
    ]);
    assert.deepEqual(
      [...loaded.parts],
      [
        ['o', 'o1'],
        ['p', 'p2'],
      ],
    );
    assert.equal(openObjects, 1);
    assert.match(reasons('p')?.[0] ?? '', /^the kernel refuses a\n.*invalid mem access$/s);
    assert.deepEqual(verdictsOf('p'), ['p1 rejected', 'p2 chosen']);
  });

  it('whose program the kernel names cost one load each', () => {
    const naming = (program: string) =>
      new MemWatcherError('BPF_LOAD_FAILED', `refused ${program}`, { program });
    failing
      .set('load p1', naming('p1'))
      .set('attach p2', naming('p2'))
      .set('load q1', naming('q1'));
    const parts = [
      part('p', strategy('p1'), strategy('p2'), strategy('p3')),
      part('q', strategy('q1')),
    ];
    const loaded = withParts(parts).load();
    assert.deepEqual(loads(), ['load s+p1+q1', 'load s+p2+q1', 'load s+p2', 'load s+p3']);
    assert.deepEqual([...loaded.parts], [['p', 'p3']]);
    assert.deepEqual(reasons('p'), ['refused p1', 'refused p2', '']);
    assert.deepEqual(reasons('q'), ['refused q1']);
    assert.equal(openObjects, 1);
  });

  it('try the next choice where the plugin names their program as one that does not run', () => {
    const verify = ({ parts }: LoadedBpf) => {
      if (parts.get('p') !== 'p1') return;
      throw new MemWatcherError('BPF_RUN_FAILED', 'cannot run p1', { program: 'p1' });
    };
    const loaded = withParts([part('p', strategy('p1'), strategy('p2'))]).load({ verify });
    assert.deepEqual([...loaded.parts], [['p', 'p2']]);
    assert.deepEqual(reasons('p'), ['cannot run p1', '']);
    assert.equal(openObjects, 1);
  });

  it('may have a last choice that needs no program', () => {
    failing.set('load p1', new MemWatcherError('BPF_LOAD_FAILED', 'refused', { program: 'p1' }));
    const loaded = withParts([part('p', strategy('p1'), strategy('p2', { programs: [] }))]).load();
    assert.deepEqual(loads(), ['load s+p1', 'load s']);
    assert.deepEqual([...loaded.parts], [['p', 'p2']]);
    assert.deepEqual(loaded.lacks, []);
  });

  it('are found out where the program that is named is not theirs alone', () => {
    const error = new MemWatcherError('BPF_LOAD_FAILED', 'refused', { program: 'shared' });
    failing.set('load shared+q1', error);
    const parts = [
      part('p', strategy('p1', { programs: ['p1', 'shared'] })),
      part('q', strategy('q1', { programs: ['q1', 'shared'] })),
    ];
    const loaded = withParts(parts).load();
    assert.deepEqual([...loaded.parts], [['p', 'p1']]);
    assert.deepEqual(verdictsOf('q'), ['q1 rejected']);
  });

  it('that cannot be attached do not cost the strategy', () => {
    failing.set('attach p1', new NotSupported('the hook p1'));
    const parts = [part('p', strategy('p1')), part('q', strategy('q1'))];
    const loaded = withParts(parts, [strategy('s'), strategy('t')]).load();
    assert.equal(loaded.strategy, 's');
    assert.deepEqual([...loaded.parts], [['q', 'q1']]);
    assert.deepEqual(loaded.lacks, ['the p']);
    assert.deepEqual(reasons('p'), ['this kernel lacks the hook p1']);
    assert.equal(openObjects, 1);
  });

  it('that are all refused leave the strategy', () => {
    failing.set('load p1', refused).set('load q1', permission);
    const loaded = withParts([part('p', strategy('p1')), part('q', strategy('q1'))]).load();
    assert.equal(loads().at(-1), 'load s');
    assert.deepEqual([...loaded.links.keys()], ['s']);
    assert.deepEqual(loaded.lacks, ['the p', 'the q']);
    assert.equal(openObjects, 1);
  });

  it('that work only without each other: the first in the profile stays', () => {
    failing.set('load p1+q1', refused);
    const loaded = withParts([part('p', strategy('p1')), part('q', strategy('q1'))]).load();
    assert.deepEqual([...loaded.parts], [['p', 'p1']]);
    assert.deepEqual(verdictsOf('q'), ['q1 rejected']);
  });

  it('do not save a strategy that fails by itself; the next has its own try', () => {
    failing.set('attach s', new NotSupported('s'));
    const loaded = withParts([part('p', strategy('p1'))], [strategy('s'), strategy('t')]).load();
    assert.deepEqual(loads(), ['load s+p1', 'load s', 'load t+p1']);
    assert.equal(loaded.strategy, 't');
    assert.deepEqual(outcomes(), ['s rejected', 't chosen']);
    assert.deepEqual(verdictsOf('p'), ['p1 chosen']);
  });

  it('are not tried where the configuration does without, and not lacking', () => {
    const parts = [part('p', strategy('p1')), part('q', strategy('q1'))];
    const loaded = withParts(parts).load({ without: ['p'] });
    assert.deepEqual(loads(), ['load s+q1']);
    assert.deepEqual(loaded.lacks, []);
    assert.deepEqual(verdictsOf('p'), ['p1 not-tried']);
    assert.throws(() => withParts(parts).load({ without: ['r'] }), {
      code: 'INTERNAL',
      message: /demo has no part r/,
      hint: /has p, q$/,
    });
  });

  it('bring their own maps, which are not made without them', () => {
    failing.set('load p1', refused);
    const p = part(
      'p',
      strategy('p1', { maps: ['m1'] }),
      strategy('p2', { maps: ['m2', 'shared'] }),
    );
    withParts([p], [strategy('s', { omit_maps: ['shared', 'old'] })]).load();
    assert.deepEqual(
      events.filter((event) => event.startsWith('omit')),
      ['omit shared+old+m2', 'omit shared+old+m1+m2', 'omit shared+old+m2', 'omit old+m1'],
    );
  });

  it('with a mistake of ours stop all', () => {
    failing.set('hook p1=f', new MemWatcherError('INTERNAL', 'no program p1'));
    const loader = withParts([part('p', strategy('p1', { hooks: { p1: 'f' } }), strategy('p2'))]);
    assert.throws(() => loader.load(), { code: 'INTERNAL' });
    assert.equal(openObjects, 0);
    assert.deepEqual(verdictsOf('p'), ['p1 not-tried', 'p2 not-tried']);
  });

  it('are explained by their facts', () => {
    lacking.add('t');
    const p = part('p', strategy('p1', { needs: [{ btf_type: 't' }] }), strategy('p2'));
    const report = explain(kernel, { plugin: 'demo', strategies: [strategy('s')], parts: [p] });
    const told = report.parts[0]?.verdicts.map(({ outcome }) => outcome);
    assert.deepEqual(told, ['rejected', 'not-tried']);
  });
});
