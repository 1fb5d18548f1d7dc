/** An installation of its own whose kernel refuses one BPF object: its programs claim no GPL licence. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../vm/initramfs.js';

const LICENSE = 'Dual BSD/GPL';

/** The folder, which the caller removes; the agent is dist/mem-watcher.js in it. */
export function withRefused(object: string): string {
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher-refused-'));
  const files = ['mem-watcher', 'symbolize-child', 'scan-child'].map((name) => `dist/${name}.js`);
  for (const path of ['package.json', 'config', ...files]) {
    cpSync(join(ROOT, path), join(root, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'dist/bpf'));
  const name = `dist/bpf/${object}.bpf.o`;
  const content = readFileSync(join(ROOT, name));
  const at = content.indexOf(LICENSE);
  if (at < 0) throw new Error(`${name} does not say ${LICENSE}`);
  content.write('Proprietary\0', at);
  writeFileSync(join(root, name), content);
  return root;
}
