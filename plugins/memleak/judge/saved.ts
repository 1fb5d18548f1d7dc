import * as z from 'zod';
import { CLASSES, LEAK_KINDS, type ProcessId, type Reading, STATES } from '../model.js';
import { COLUMNS, SLOTS } from './horizon.js';

/**
 * What outlives a restart of the agent. A process that lives on has its code where it was, so its
 * stacks are told by their return addresses; who and where is all that matches them.
 */
const row = z.array(z.number().nullable()).length(COLUMNS);
export const savedStack = z.object({
  identity: z.string().max(10_000),
  /** Seconds: between the first and the last reading. */
  age: z.number().min(0),
  confirmedBytes: z.number(),
  judgement: z.object({
    state: z.enum(STATES),
    class: z.enum(CLASSES).exactOptional(),
    kind: z.enum(LEAK_KINDS).exactOptional(),
    confidence: z.number().min(0).max(1).exactOptional(),
    coverage: z.number().min(0).max(1),
    growth: z.number().exactOptional(),
    since: z.number(),
    reason: z.string().max(1000),
  }),
  /** Of its process, seconds, when it was first observed. */
  ageBefore: z.number().min(0).exactOptional(),
  /** Bytes per second by which it last grew as a leak does. */
  leakRate: z.number().exactOptional(),
  /** Of each horizon, the finest first, its rows; null: not known. */
  horizons: z.array(z.array(row).max(SLOTS)).max(8),
});

/** All but the stacks, which are looked at one by one: together they would hold up the event loop. */
export const savedFrame = z.object({
  version: z.literal(2),
  /** Seconds; of another window nothing can be used. */
  window: z.number(),
  /** /proc/sys/kernel/random/boot_id: what was before that is gone with its processes and addresses. */
  boot: z.string().max(100).exactOptional(),
  stacks: z.array(z.unknown()).max(10_000),
});

export type SavedStack = z.output<typeof savedStack>;
export type SavedJudge = Omit<z.output<typeof savedFrame>, 'stacks'> & {
  readonly stacks: readonly SavedStack[];
};

/** Whose stack it is; undefined of the kernel's. */
export function ownerOf(identity: string): ProcessId | undefined {
  const [, pid, startTime] = /^(\d+)@(\d+) /.exec(identity) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), startTime: Number(startTime) };
}

export function identityOf({ source, frames, origin, site }: Reading): string {
  const who = source.kind === 'process' ? `${source.pid}@${source.startTime}` : 'kernel';
  const where = site ? `site ${site.id}` : frames.map((frame) => frame.toString(16)).join(',');
  return `${who} ${origin ?? ''} ${where}`;
}
