/** Who is followed, and at what price: the part of the configuration that this folder reads. */
import * as z from 'zod';
import { size } from '../../../core/config/units.js';
import { containerName, isNamePattern } from '../../../core/identity/filter.js';
import { SHAPES } from '../user/user-watch.js';

/** Keys of a target of which it has exactly one. */
export const SELECTORS = ['pid', 'executable', 'cgroup', 'container', 'unit'] as const;
export type Selector = (typeof SELECTORS)[number];

const target = z
  .strictObject({
    pid: z.int().min(1).optional().describe('this process'),
    executable: z
      .string()
      .min(1)
      .refine(isNamePattern, 'is not a regular expression')
      .optional()
      .describe('base name or command that fits: post*, /^post/; with a slash inside, the path'),
    cgroup: z.string().startsWith('/').optional().describe('in this cgroup or below'),
    container: containerName
      .optional()
      .describe('in this container, by id, its first digits (12 or more) or name:NAME'),
    unit: z
      .string()
      .regex(/^[\w.@:\\-]+$/, 'is not the name of a systemd unit')
      .optional()
      .describe('in this systemd unit: nginx, or nginx.service'),
    children: z.boolean().default(false).describe('also the processes that it forks'),
    inherit: z
      .boolean()
      .default(false)
      .describe('a child begins with what its parent has outstanding'),
    mmap: z.boolean().default(false).describe('also mmap, munmap, mremap called by the program'),
    brk: z.boolean().default(false).describe('also sbrk called by the program'),
    functions: z
      .record(z.string().min(1).max(1024), z.enum(SHAPES))
      .default({})
      .describe('further functions by symbol, each with the one that it is like: my_alloc: malloc'),
  })
  .refine((one) => SELECTORS.filter((key) => one[key] !== undefined).length === 1, {
    message: `a target has exactly one of ${SELECTORS.join(', ')}`,
  });

export const THROWING = ['auto', 'never'] as const;

/** For the plugin's `config`. */
export const targetsConfig = {
  targets: z
    .array(target)
    .default([])
    .describe(
      'processes to trace, also those that start later; with none, and kernel.enabled false, the ' +
        'plugin traces nothing and is degraded',
    ),
  max_targets: z
    .int()
    .min(1)
    .max(256)
    .default(64)
    .describe('processes that are followed at once; what is left out is said'),
  sampling: z
    .union([z.literal('full'), size({ min: 1024 })])
    .default('full')
    .describe('every allocation, or the mean of bytes between two that are recorded'),
  budget: z
    .number()
    .min(0)
    .max(64)
    .default(0.05)
    .describe(
      'share of one CPU above which the sampling interval rises and, where that does not help, targets are traced in turns; 0: no budget',
    ),
  limit: z
    .number()
    .min(0)
    .max(64)
    .default(0.5)
    .describe('share of one CPU above which the costliest target is paused at once; 0: never'),
  throwing_new: z
    .enum(THROWING)
    .default('auto')
    .describe(
      'follow functions that may throw: an operator new that does not pass malloc, and functions that ' +
        'you name. auto: at their ret instructions, which costs more a call and cannot harm the program',
    ),
};

const schema = z.object(targetsConfig);
export type TargetsConfig = z.output<typeof schema>;
export type TargetConfig = TargetsConfig['targets'][number];

/** Mean bytes between samples as UserWatch counts: 0 is every allocation. */
export const samplingInterval = ({ sampling }: Pick<TargetsConfig, 'sampling'>): number =>
  sampling === 'full' ? 0 : sampling;

/** For tests and the command line: the defaults with some keys set. */
export function makeTargetsConfig(given: z.input<typeof schema>): TargetsConfig {
  return schema.parse(given);
}
