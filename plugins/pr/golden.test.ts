import { join } from 'node:path';
import { describe, it } from 'node:test';
import { recordDecoder } from '../../core/bpf/record.js';
import { GfpFlags } from '../../core/memory/gfp.js';
import { assertGolden, recordingsOf } from '../../test/fakes/golden.js';
import { attributesOfEpisode } from './episode.js';
import type { PrSpan } from './events.gen.js';
import { factlessKernel, layoutOf } from './fake.js';

const TESTDATA = join(import.meta.dirname, '../../../plugins/pr/testdata');
const RECORDINGS = ['linux-5.10', 'linux-6.18', 'linux-7.2'];

/** Episodes as kernels sent them: at a limit, in want of memory, of kswapd. Flags stay numbers. */
describe('pr goldens', () => {
  const decoder = recordDecoder<PrSpan>(layoutOf('pr_span'));
  const flags = GfpFlags.of(factlessKernel);
  for (const { name, bytes, golden } of recordingsOf(TESTDATA, RECORDINGS)) {
    it(name, (context) => {
      const decoded = decoder.decodeAll(bytes).map(({ who, episode }) => ({
        who,
        duration: episode.end - episode.begin,
        ...attributesOfEpisode(episode, { flags, saysThrottling: name !== 'linux-5.10' }),
      }));
      assertGolden(context, golden, decoded);
    });
  }
});
