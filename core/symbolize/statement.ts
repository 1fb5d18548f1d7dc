/** What the child says, believed as little as the files that it reads: one may have taken it over. */
import { z } from 'zod';
import type { Statement } from './wire.js';

/** Throws for whatever is not a statement. */
export const parseStatement = (json: string): Statement => statement.parse(JSON.parse(json));

const text = z.string().max(1 << 16);
const hex = z.string().regex(/^[0-9a-f]{1,16}$/);

const frame = z.object({
  name: text.optional(),
  begin: hex.optional(),
  file: text.optional(),
  line: z.number().int().nonnegative().max(0xffffffff).optional(),
  inlined: z.boolean(),
  lack: text.optional(),
});

const statement: z.ZodType<Statement> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), status: text }),
  z.object({
    kind: z.literal('want'),
    buildId: z.string().regex(/^([0-9a-f]{2}){0,64}$/),
    link: z.string().max(4096),
    shared: z.boolean(),
  }),
  z.object({
    kind: z.literal('found'),
    frames: z.array(z.array(frame).max(1024)).max(4096),
    lack: text.optional(),
    tired: z.boolean(),
  }),
]);
