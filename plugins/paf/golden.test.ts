import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CgroupPaths } from '../../core/identity/cgroup-paths.js';
import { WhoIs } from '../../core/identity/who.js';
import { findInstallation } from '../../core/install.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { assertGolden, recordingsOf } from '../../test/fakes/golden.js';
import { DetailDecoder } from './decoder.js';
import { kernel, layoutOf } from './fake.js';

const TESTDATA = join(findInstallation(import.meta.url).root, 'plugins/paf/testdata');
const RECORDINGS = ['5.10-two-nodes', '6.18-memcg-limit'];
const layout = layoutOf('paf_detail');

/** Records of real kernels, as the ring had them; what they say was compared with /proc when they were made. */
describe('paf goldens', () => {
  for (const { name, bytes, golden } of recordingsOf(TESTDATA, RECORDINGS)) {
    it(name, (context) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const whoIs = new WhoIs(
        new CgroupPaths({
          read: () => {
            throw new Error('gone');
          },
          tree: () => ({ find: () => undefined, confirms: () => undefined, idOf: () => undefined }),
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
      assertGolden(context, golden, decoded);
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
