/** A clone may lie in a folder whose name a shell, a URL or make would split. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../command.js';
import { ROOT } from '../vm/initramfs.js';
import { setupCopy } from './copy.js';

test('BPF programs are built in a folder with a space, once', (t) => {
  const { root } = setupCopy(t);
  cpSync(join(ROOT, 'bpf'), join(root, 'bpf'), { recursive: true });
  mkdirSync(join(root, 'test/fakes'), { recursive: true });
  cpSync(join(ROOT, 'test/fakes/who.bpf.c'), join(root, 'test/fakes/who.bpf.c'));
  command('make', ['-s', '-C', join(root, 'bpf')]);
  assert.ok(existsSync(join(root, 'dist/bpf/who.bpf.o')));
  assert.equal(spawnSync('make', ['-q', '-C', join(root, 'bpf')]).status, 0);
});

test('a shell runs the commands that the set-up prints in a folder with a space', (t) => {
  const { root, setup } = setupCopy(t);
  const programs = join(root, 'fakes');
  mkdirSync(programs);
  // What root would be asked to do, and what it was called with, an argument a line.
  const fakes = { su: 'shift; exec sh "$@"', chown: 'pwd; printf "%s\\n" "$@"' };
  for (const [name, script] of Object.entries(fakes)) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(programs, name), 0o755);
  }
  const program = `
    process.getuid = () => 65534;
    const { remedyOf } = await import(process.argv[1] + '/progress.mjs');
    console.log(remedyOf('EACCES').replace(/, or work .*/, ''));
  `;
  const args = ['--input-type=module', '-e', program, setup];
  const printed = spawnSync(process.execPath, args, { encoding: 'utf8', env: { PATH: programs } });
  assert.match(printed.stdout, /^su - -c /, printed.stderr);
  const env = { PATH: `${programs}:${process.env.PATH}` };
  const { stdout, stderr } = spawnSync('sh', ['-c', printed.stdout], { encoding: 'utf8', env });
  const [directory, option, , folder] = stdout.split('\n');
  assert.deepEqual([directory, option, folder], [root, '-R', root], stderr);
});
