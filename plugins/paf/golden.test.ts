import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { WhoIs } from '../../core/identity/who.js';
import { findInstallation } from '../../core/install.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { DetailDecoder } from './decoder.js';
import { kernel, layoutOf } from './fake.js';

const TESTDATA = join(findInstallation(import.meta.url).root, 'plugins/paf/testdata');
const layout = layoutOf('paf_detail');

/** Records of real kernels, as the ring had them; what they say was compared with /proc when they were made. */
describe('paf goldens', () => {
  for (const name of readdirSync(TESTDATA).filter((file) => file.endsWith('.bin'))) {
    it(name, () => {
      const bytes = readFileSync(join(TESTDATA, name));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const whoIs = new WhoIs(
        new CgroupPaths({
          read: () => {
            throw new Error('gone');
          },
          tree: () => ({ find: () => undefined, confirms: () => undefined }),
        }),
        Date.parse('2026-01-01T00:00:00Z'),
      );
      const decoder = new DetailDecoder(layout, {
        flags: () => ({ gfp: GfpFlags.of(kernel), cpusets: false }),
        unix: (ns) => Date.parse('2026-01-01T00:00:00Z') + ns / 1e6,
        who: (record) => whoIs.who(record),
      });
      const decoded = Array.from({ length: bytes.length / layout.size }, (_, n) =>
        decoder.decode(view, n * layout.size, layout.size),
      );
      const golden = join(TESTDATA, name.replace(/bin$/, 'json'));
      const text = `${JSON.stringify(decoded, null, 2)}\n`;
      if (process.env.UPDATE_GOLDENS) writeFileSync(golden, text);
      assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(golden, 'utf8')));
    });
  }

  it('refuses a record that is cut, or longer', () => {
    const decoder = new DetailDecoder(layout, {
      flags: () => ({ gfp: GfpFlags.of(kernel), cpusets: false }),
      unix: (ns) => ns,
      who: () => assert.fail('nobody is asked for'),
    });
    for (const length of [0, layout.size - 1, layout.size + 1]) {
      const view = new DataView(new ArrayBuffer(2 * layout.size));
      assert.throws(() => decoder.decode(view, 0, length), /paf_detail has 3552/);
    }
  });
});
