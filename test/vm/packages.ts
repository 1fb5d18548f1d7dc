/** Packages of this machine's Debian, unpacked in the cache and not installed. */
import { readFileSync } from 'node:fs';
import { cached, cachePath } from '../cache.js';
import { Archive } from './archive.js';
import { KERNELS } from './kernels.js';

/** The folder that they are unpacked in, `name` of the cache. Throws where there is no archive. */
export function fetchPackages(name: string, packages: readonly string[]): Promise<string> {
  const release = readFileSync('/etc/os-release', 'utf8');
  const [, suite = 'stable'] = /^VERSION_CODENAME=(\w+)/m.exec(release) ?? [];
  return cached(cachePath(name, suite), (partial) => {
    const archive = new Archive();
    const suites = KERNELS.map((kernel) => kernel.suite);
    archive.refresh(suites.includes(suite) ? suites : [suite]);
    archive.unpack(
      packages.map((one) => `${one}/${suite}`),
      partial,
    );
  });
}
