/** config/kernel/gfp.yaml: the flags of a page allocation as kernels define them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { check } from '../config/check.js';
import { ConfigError } from '../config/problem.js';
import { ConfigSource } from '../config/source.js';
import { describeError, MemWatcherError } from '../errors.js';
import { FactSchema } from '../kernel/profile.js';

const needs = z.array(FactSchema).default([]);
const FlagName = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'is a name as the kernel has it, in capitals');
/** gfp_t has 32 bits. */
const Bits = z.record(FlagName, z.int().min(0).max(31)).describe('flag, without __GFP_ → its bit');

const BitSet = z.strictObject({
  name: z.string().min(1),
  needs,
  enumerated: z.string().optional().describe('an enumerator of the enum that has the bits'),
  bits: Bits.default({}),
  also: z
    .array(z.strictObject({ needs, bits: Bits }))
    .default([])
    .describe('flags that only some builds of such a kernel have'),
});

const Mask = z.strictObject({
  name: FlagName,
  needs,
  of: z
    .array(FlagName)
    .min(1)
    .describe('flags without __GFP_, and other masks by their whole name'),
  also: z.array(FlagName).default([]).describe('flags that count where the kernel has them'),
});

export const GfpTableSchema = z.strictObject({
  bits: z.array(BitSet).min(1).describe('the first whose facts hold is meant'),
  masks: z.array(Mask).default([]).describe('in the order in which a mask is searched for them'),
});

export type GfpTable = z.output<typeof GfpTableSchema>;

/** Reads `<folder>/gfp.yaml`. CONFIG_INVALID with file:line:column, or CONFIG_NOT_FOUND. */
export function readGfpTable(folder: string): GfpTable {
  const file = join(folder, 'gfp.yaml');
  try {
    return parseGfpTable(file, readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof MemWatcherError) throw error;
    throw new MemWatcherError('CONFIG_NOT_FOUND', `${file} cannot be read`, {
      hint: 'kernel.profiles in the configuration names the folder; config/kernel has the original',
      cause: new Error(describeError(error)),
    });
  }
}

/** `file` is only named in messages. */
export function parseGfpTable(file: string, content: string): GfpTable {
  const source = new ConfigSource(file, content);
  const checked = check(GfpTableSchema, source.value, new Map());
  if (checked.ok) return checked.value;
  throw new ConfigError(
    checked.mistakes.map(({ path, message, of }) => source.problem(path, message, of)),
  );
}
