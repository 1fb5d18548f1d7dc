/** A Go that can build today's Collector: the machine's own, or Debian's newest in the cache. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cachePath } from '../cache.js';
import { command } from '../command.js';
import { Archive } from '../vm/archive.js';

const MINIMUM = [1, 25] as const;

export const HOW_TO_GET_GO =
  `Go ${MINIMUM.join('.')} or newer builds the real parts: install it so that \`go\` is on the ` +
  'PATH, or give the machine access to its Debian mirror';

/** The `go` command. Throws with what to do where there is none and none can be fetched. */
export async function goCommand(): Promise<string> {
  if (isRecent('go')) return 'go';
  try {
    const dir = await cached(cachePath('go'), (partial) => {
      const archive = new Archive();
      archive.refresh(['sid']);
      const [compiler] = archive.packages(/^golang-1\.\d+-go$/);
      if (compiler === undefined) throw new Error('Debian has no golang package');
      archive.unpack([compiler, compiler.replace(/-go$/, '-src')], partial);
      relink(partial);
    });
    const go = goIn(dir);
    if (isRecent(go)) return go;
    throw new Error(`${go} is too old`);
  } catch (cause) {
    throw new Error(HOW_TO_GET_GO, { cause });
  }
}

function isRecent(go: string): boolean {
  try {
    const [, major = '0', minor = '0'] = /go(\d+)\.(\d+)/.exec(command(go, ['version'])) ?? [];
    return Number(major) > MINIMUM[0] || Number(minor) >= MINIMUM[1];
  } catch {
    return false;
  }
}

function goIn(dir: string): string {
  const version = readdirSync(join(dir, 'usr/lib')).find((name) => /^go-1\./.test(name));
  return join(dir, 'usr/lib', version ?? 'go', 'bin/go');
}

/** Debian splits GOROOT over /usr/lib and /usr/share by absolute links: make them relative. */
function relink(dir: string): void {
  const lib = join(goIn(dir), '../..');
  const share = join(dir, 'usr/share', lib.split('/').pop() ?? '');
  for (const name of readdirSync(share)) {
    if (name === 'bin' || name === 'pkg') continue;
    if (existsSync(join(lib, name))) continue;
    command('ln', ['-sfn', join('../../share', lib.split('/').pop() ?? '', name), join(lib, name)]);
  }
}
