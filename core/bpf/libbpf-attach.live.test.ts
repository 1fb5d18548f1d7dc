/** Every kind of hook on the running kernel, and what is said where one cannot be had. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { code } from '../../test/fakes/error-code.js';
import { FILE, hits, host, loaded } from '../../test/fakes/kit.js';
import { ElfFile } from '../elf/elf-file.js';
import { MemWatcherError, NotSupported } from '../errors.js';

for (const program of ['traced', 'raw', 'classic', 'entered', 'left', 'probed', 'returned']) {
  test(`${program} attaches, hits, and stops when detached`, (context) => {
    const object = host.open(FILE);
    context.after(() => object.close());
    object.selectPrograms([program]);
    try {
      object.load();
      const link = object.attach(program);
      spawnSync('true');
      link.close();
    } catch (error) {
      const reason = whyImpossible(program);
      if (reason === undefined) throw error;
      assert(error instanceof MemWatcherError);
      context.skip(`${reason} (${error.message})`);
      return;
    }
    const counted = hits(object);
    assert(counted > 0n);
    spawnSync('true');
    assert.equal(hits(object), counted);
  });
}

/** Why this kernel cannot do it, from facts of its own; undefined if it can. */
function whyImpossible(program: string): string | undefined {
  if (program === 'probed' || program === 'returned') {
    const pmu = '/sys/bus/event_source/devices/kprobe';
    return existsSync(pmu) ? undefined : 'this kernel is built without kprobes';
  }
  if (program === 'classic') {
    const mounted = ['/sys/kernel/tracing/events', '/sys/kernel/debug/tracing/events'];
    return mounted.some((path) => existsSync(path)) ? undefined : 'tracefs is not mounted';
  }
  if (program === 'entered' || program === 'left') {
    const path = '/sys/kernel/security/lockdown';
    const state = existsSync(path) ? readFileSync(path, 'utf8') : execFileSync('dmesg').toString();
    return /\[(integrity|confidentiality)\]|Kernel is locked down/.test(state)
      ? 'this kernel is locked down'
      : undefined;
  }
  return undefined;
}

/** Where libc, as this process has it, keeps a function: file and offset. */
function inLibc(name: string): { binary: string; offset: number } {
  const maps = readFileSync('/proc/self/maps', 'utf8');
  const binary = /\S+\/libc[.-][^/\n]*$/m.exec(maps)?.[0] ?? '';
  const file = ElfFile.open(binary);
  try {
    const [found] = file.functions([name]);
    assert.ok(found, `${binary} has no ${name}`);
    return { binary, offset: found.offset };
  } finally {
    file.close();
  }
}

test('uprobes count the calls of a function of a library, by process', (context) => {
  const target = { ...inLibc('getuid'), pid: process.pid };
  const object = loaded(context, 'user_entered', 'user_returned');
  assert.throws(() => object.attach('user_entered'), code('BPF_ATTACH_FAILED', /a binary/));
  const call = () => {
    for (let calls = 0; calls < 10; calls++) process.getuid?.();
  };
  const entered = object.attach('user_entered', target);
  call();
  assert.equal(hits(object), 10n);
  const returned = object.attach('user_returned', target);
  call();
  assert.equal(hits(object), 30n);
  entered.close();
  call();
  assert.equal(hits(object), 40n);
  returned.close();
  const elsewhere = object.attach('user_entered', { ...target, pid: process.ppid });
  call();
  elsewhere.close();
  assert.equal(hits(object), 40n);
});

test('a hook that does not exist is not supported', (context) => {
  const object = loaded(context, 'raw', 'probed');
  assert.throws(
    () => object.attach('raw', { hook: 'no_such_tracepoint' }),
    (error) => error instanceof NotSupported && error.fact.includes('no_such_tracepoint'),
  );
  assert.throws(
    () => object.attach('probed', { hook: 'no_such_function' }),
    (error) => error instanceof NotSupported,
  );
});

test('a hook is replaced before load', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.setHook('absent', 'sched_switch');
  object.selectPrograms(['absent', 'traced']);
  object.load();
  object.attach('absent').close();
  assert.throws(
    () => object.attach('traced', { hook: 'sched_process_fork' }),
    code('BPF_ATTACH_FAILED', /bound at load/),
  );
});

test('a refused program shows the last words of the verifier', (context) => {
  const said: string[] = [];
  const object = host.open(FILE, { log: (level, text) => said.push(`${level} ${text}`) });
  context.after(() => object.close());
  object.selectPrograms(['refused']);
  assert.throws(
    () => object.load(),
    (error) => {
      assert(error instanceof MemWatcherError);
      assert.equal(error.code, 'BPF_LOAD_FAILED');
      assert.match(error.message, /refused program refused \(kit\.bpf\.o\): EACCES/);
      assert.match(error.detail ?? '', /invalid mem access 'map_value_or_null'/);
      return true;
    },
  );
  assert(said.some((line) => line.startsWith('warn') && line.includes('BPF program load failed')));
  assert.throws(() => object.attach('refused'), code('INTERNAL', /is refused, not loaded/));
});

test('a tracepoint that the BTF lacks is named', (context) => {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.selectPrograms(['absent']);
  assert.throws(
    () => object.load(),
    (error) => error instanceof MemWatcherError && /no_such_tracepoint/.test(error.detail ?? ''),
  );
});
