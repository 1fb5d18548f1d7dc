import * as z from 'zod';
import { duration, size } from '../../../core/config/units.js';

/** What besides slab caches can be followed: all pages that are not movable, and per-CPU memory. */
export const KERNEL_KINDS = ['pages', 'percpu'] as const;
export type KernelKind = (typeof KERNEL_KINDS)[number];

/** The part `kernel` of the plugin's `config`: the kernel's own allocations. */
export const kernelConfig = z
  .strictObject({
    enabled: z.boolean().default(false).describe('whether the kernel itself is watched'),
    always: z
      .array(z.enum(KERNEL_KINDS))
      .default([])
      .describe('what is followed from the start, whether it grows or not'),
    caches: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'slab caches that are followed from the start, as /proc/slabinfo names them; * and ?',
      ),
    ignore: z
      .array(z.string().min(1))
      .default([])
      .describe('slab caches that are never followed, even if they grow'),
    window: duration({ min: 100 })
      .default(60_000)
      .describe('how long a window of growth is; each counts by its lowest point'),
    windows: z
      .int()
      .min(2)
      .max(60)
      .default(3)
      .describe('windows in a row in which something has to grow before it is followed'),
    growth: size({ min: 4096 })
      .default(1_048_576)
      .describe('bytes by which it has to grow over these windows'),
    quiet: z
      .int()
      .min(1)
      .max(10_000)
      .default(60)
      .describe('windows without growth after which it is no longer followed'),
    max_followed: z
      .int()
      .min(1)
      .max(256)
      .default(16)
      .describe('slab caches that are followed at the same time, those that grow most'),
    limit: z
      .number()
      .min(0)
      .max(64)
      .default(0.2)
      .describe(
        'share of one CPU above which the costliest of slab, pages and per-CPU memory is left for a while; 0: never',
      ),
    max_live: z
      .int()
      .min(1024)
      .max(16_777_216)
      .default(262_144)
      .describe('outstanding kernel allocations that are kept; more are counted as missed'),
    max_stacks: z
      .int()
      .min(64)
      .max(65_536)
      .default(4096)
      .describe('kernel stacks that are told apart; more are counted as missed'),
  })
  .prefault({});

export type KernelConfig = z.output<typeof kernelConfig>;
