import * as z from 'zod';
import { duration } from '../../../core/config/units.js';

export const SCANS = ['suspects', 'always', 'never'] as const;

/** `plugins.memleak.scan` in the YAML. */
export const scanConfig = z
  .strictObject({
    when: z
      .enum(SCANS)
      .default('suspects')
      .describe(
        'whose memory is looked through for pointers to what it holds: of suspects, of all targets, of none',
      ),
    every: duration({ min: 1000 })
      .default(30_000)
      .describe('time between two scans of a process, at least'),
    share: z
      .number()
      .min(0.001)
      .max(1)
      .default(0.02)
      .describe('share of one CPU that scans may take; where they cost more there are fewer'),
    pause: z
      .boolean()
      .default(false)
      .describe(
        'holds a process still for the closer look at the end of `mem-watcher leaks`, a second at most',
      ),
  })
  .prefault({})
  .describe('whether anything still points to what is suspected, which tells a leak from a cache');

export type ScanConfig = z.output<typeof scanConfig>;
