import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { recordDecoder } from '../../core/bpf/record.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { attributesOfEpisode } from './episode.js';
import type { PrSpan } from './events.gen.js';
import { factlessKernel, layoutOf } from './fake.js';

const TESTDATA = join(import.meta.dirname, '../../../plugins/pr/testdata');

/** Episodes as kernels sent them: at a limit, in want of memory, of kswapd. Flags stay numbers. */
describe('pr goldens', () => {
  const decoder = recordDecoder<PrSpan>(layoutOf('pr_span'));
  const flags = GfpFlags.of(factlessKernel);
  for (const kernel of ['5.10', '6.18', '7.2']) {
    it(`Linux ${kernel}`, () => {
      const bytes = readFileSync(join(TESTDATA, `linux-${kernel}.bin`));
      const decoded = decoder.decodeAll(bytes).map(({ who, episode }) => ({
        who,
        duration: episode.end - episode.begin,
        ...attributesOfEpisode(episode, { flags, saysThrottling: kernel !== '5.10' }),
      }));
      const golden = join(TESTDATA, `linux-${kernel}.json`);
      if (process.env.UPDATE_GOLDENS) {
        writeFileSync(golden, `${JSON.stringify(decoded, null, 2)}\n`);
      }
      assert.deepEqual(
        JSON.parse(JSON.stringify(decoded)),
        JSON.parse(readFileSync(golden, 'utf8')),
      );
    });
  }
});
