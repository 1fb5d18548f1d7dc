import * as z from 'zod';

/** For the plugin's `config`: what the kernel keeps of the processes that are watched. */
export const userConfig = {
  max_allocations: z
    .int()
    .min(1024)
    .max(16_777_216)
    .default(1_048_576)
    .describe('outstanding allocations of all processes that are kept; more are counted as missed'),
  max_stacks: z
    .int()
    .min(64)
    .max(262_144)
    .default(16_384)
    .describe('stacks that are told apart; what comes after is one stack a process'),
  stack_depth: z.int().min(1).max(127).default(64).describe('frames of a stack that are kept'),
};
