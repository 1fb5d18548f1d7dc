import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { MappedModule } from '../../../core/symbolize/symbolizer.js';
import { kernelStackId, type Place, processStackId, stackId } from './stack-id.js';

const file = (changes: Partial<Extract<Place, { kind: 'file' }>> = {}): Place => ({
  kind: 'file',
  buildId: 'abcd',
  path: '/usr/bin/shop',
  offset: 0x1205n,
  ...changes,
});

test('the id is 16 hex digits and for ever the same: fleets keep it', () => {
  assert.equal(stackId([file()]), '8572e5fa5eee0799');
});

test('build id and offset count, the path of a file that has one does not', () => {
  const id = stackId([file()]);
  assert.equal(stackId([file({ path: '/proc/7/root/opt/shop' })]), id);
  assert.notEqual(stackId([file({ buildId: 'abce' })]), id);
  assert.notEqual(stackId([file({ offset: 0x1206n })]), id);
  assert.notEqual(stackId([file(), file()]), id);
});

test('without a build id the base name counts, wherever the file lies', () => {
  const id = stackId([file({ buildId: undefined })]);
  assert.equal(stackId([file({ buildId: undefined, path: '/opt/shop' })]), id);
  assert.notEqual(stackId([file({ buildId: undefined, path: '/opt/stop' })]), id);
  assert.notEqual(stackId([file({ buildId: 'name:shop' })]), stackId([file({ buildId: 'shop' })]));
});

test('code in no file counts by its name, or by its place alone', () => {
  const named = stackId([{ kind: 'code', name: 'render' }, file()]);
  assert.notEqual(named, stackId([{ kind: 'code', name: 'other' }, file()]));
  assert.notEqual(named, stackId([{ kind: 'code' }, file()]));
  assert.notEqual(stackId([file(), { kind: 'code' }]), stackId([{ kind: 'code' }, file()]));
});

test('no name passes for two frames', () => {
  const forged = stackId([{ kind: 'code', name: 'a\ncode b' }]);
  const honest = stackId([
    { kind: 'code', name: 'a' },
    { kind: 'code', name: 'b' },
  ]);
  assert.notEqual(forged, honest);
  assert.notEqual(forged, stackId([{ kind: 'code', name: 'a\\ncode b' }]));
});

test('a kernel stack is told by symbols and offsets: KASLR moves only its addresses', () => {
  const at = (base: bigint, module?: string) => [
    { address: base + 0x262n, function: '__alloc_pages', offset: 0x262 },
    { address: base + 0x1070n, function: 'hook', offset: 0x70, ...(module && { module }) },
  ];
  const id = kernelStackId(at(0xffffffff81000000n), 'kmalloc-64');
  assert.equal(kernelStackId(at(0xffffffff95000000n), 'kmalloc-64'), id);
  assert.notEqual(kernelStackId(at(0xffffffff81000000n), 'kmalloc-96'), id);
  assert.notEqual(kernelStackId(at(0xffffffff81000000n, 'nf_tables'), 'kmalloc-64'), id);
  assert.notEqual(kernelStackId([{ address: 1n }]), kernelStackId([]));
});

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-stack-id-'));
after(() => rmSync(folder, { recursive: true }));

test('two runs of a position-independent program have the same ids at other addresses', async (t) => {
  const program = join(folder, 'pie');
  writeFileSync(
    `${program}.c`,
    `#include <stdio.h>
     #include <unistd.h>
     __attribute__((noinline)) static void *here(void) { return __builtin_return_address(0); }
     int main(void) { printf("%p %p\\n", here(), (void *)&printf); fflush(stdout); getchar(); }`,
  );
  try {
    execFileSync('cc', ['-O1', '-fPIE', '-pie', '-Wl,--build-id', '-o', program, `${program}.c`]);
  } catch (error) {
    t.skip(`no C compiler: ${String(error)}`);
    return;
  }
  const runs = [await run(program), await run(program)];
  const [one, two] = runs.map(({ addresses }) => addresses.join(' '));
  assert.notEqual(one, two, 'ASLR is off: the test shows nothing');
  const [first, second] = runs.map(({ modules, addresses }) =>
    processStackId({ find: (address) => moduleAt(modules, address) }, addresses),
  );
  assert.equal(first, second);
});

interface Run {
  readonly addresses: readonly bigint[];
  readonly modules: readonly MappedModule[];
}

async function run(program: string): Promise<Run> {
  const child: ChildProcess = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(child.stdout ?? assert.fail(), 'data')) as [Buffer];
    const addresses = line.toString().trim().split(' ').map(BigInt);
    return { addresses, modules: modulesOf(readFileSync(`/proc/${child.pid}/maps`, 'utf8')) };
  } finally {
    const ended = once(child, 'exit');
    child.stdin?.end();
    await ended;
  }
}

const modulesOf = (maps: string): MappedModule[] =>
  [...maps.matchAll(/^(\w+)-(\w+) ..x. (\w+) (\S+) (\d+) +(\S+)$/gm)].map(
    ([, start, end, offset, device = '', inode, path = '']) => ({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      fileOffset: BigInt(`0x${offset}`),
      path,
      deleted: false,
      device,
      inode: Number(inode),
    }),
  );

const moduleAt = (modules: readonly MappedModule[], address: bigint) =>
  modules.find(({ start, end }) => address >= start && address < end);
