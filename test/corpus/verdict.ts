/** What the agent said of a program, held against the program's own claims. */
import { basename } from 'node:path';
import type { Claim } from '../../bench/calibration.js';
import type { CorpusProgram, Mark } from './manifest.js';

export interface StackFrame {
  readonly function?: string;
  readonly file?: string;
  readonly line?: number;
}

/** A stack that the agent calls a leak, or takes for one. */
export interface Alarm {
  readonly state: 'suspected' | 'confirmed';
  readonly frames: readonly StackFrame[];
  /** Of the class, 0 to 1. */
  readonly confidence: number;
  /** Which stack it is. */
  readonly stack: string;
  /** Seconds of watching until it was said. */
  readonly seconds: number;
  /** Seconds until then from the first allocation of the stack that was seen. */
  readonly age: number;
  /** As the agent put it, for whoever has to find out why. */
  readonly text: string;
}

/** `line`: the marked line is on the stack; `caller`: the direct caller is right, and no more known. */
export type Exactness = 'line' | 'caller';

export interface Found {
  readonly mark: Mark;
  readonly exactness: Exactness;
  readonly seconds: number;
  readonly age: number;
}

export interface Verdict {
  readonly found: readonly Found[];
  readonly missed: readonly Mark[];
  readonly falseAlarms: readonly Alarm[];
  /** Of each stack that was called a leak the last, suspected ones too. */
  readonly claims: readonly Claim[];
}

/** Functions of C++'s and Rust's libraries that call the allocator for everybody. */
const RUNTIMES = /^(operator new|_Zn[wa]|__rust|__rdl|std::|alloc::|<.* as |void\* std::)/;

/**
 * What is lost must be confirmed. What only grows, and is still referenced, may be a cache that fills: within
 * minutes it must be suspected, and to confirm it is a false alarm wherever it is.
 */
export function judge(program: CorpusProgram, said: readonly Alarm[]): Verdict {
  const isGrowth = program.oracle === 'growth';
  const alarms = said.filter(({ state }) => isGrowth || state === 'confirmed');
  const leaks = program.marks.filter(({ mark }) => mark === 'LEAK');
  const found = new Map<Mark, Found>();
  const falseAlarms: Alarm[] = [];
  for (const alarm of alarms) {
    const exact = leaks.filter((mark) => isOn(alarm, mark));
    const marks = exact.length > 0 ? exact : isByCaller(program, alarm) ? leaks : [];
    const exactness: Exactness = exact.length > 0 ? 'line' : 'caller';
    const isElsewhere = marks.length === 0 && !program.marks.some((mark) => isOn(alarm, mark));
    if (alarm.state === 'confirmed' && (isGrowth || isElsewhere)) falseAlarms.push(alarm);
    for (const mark of marks) {
      const { seconds, age } = alarm;
      const before = found.get(mark);
      if (before?.exactness === 'line' && exactness === 'caller') continue;
      if (before === undefined || before.exactness !== exactness || seconds < before.seconds) {
        found.set(mark, { mark, exactness, seconds, age });
      }
    }
  }
  return {
    found: [...found.values()],
    missed: leaks.filter((mark) => !found.has(mark)),
    falseAlarms,
    claims: claimsOf(program, said),
  };
}

/** What may grow is no claim: it is neither right nor wrong. */
function claimsOf(program: CorpusProgram, said: readonly Alarm[]): Claim[] {
  const last = new Map(said.map((alarm) => [alarm.stack, alarm]));
  const leaks = program.marks.filter(({ mark }) => mark === 'LEAK');
  const others = program.marks.filter(({ mark }) => mark === 'MAY');
  return [...last.values()].flatMap((alarm) => {
    const isLeak = leaks.some((mark) => isOn(alarm, mark)) || isByCaller(program, alarm);
    const isOpen = !isLeak && others.some((mark) => isOn(alarm, mark));
    return isOpen ? [] : [{ confidence: alarm.confidence, isLeak }];
  });
}

const isOn = ({ frames }: Pick<Alarm, 'frames'>, mark: Mark): boolean =>
  frames.some(({ file, line }) => line === mark.line && basename(file ?? '') === mark.file);

/**
 * Without frame pointers the direct caller is all there is: a wrapper, or a function of a library.
 * Only in a program that leaks: elsewhere it would excuse a false alarm.
 */
function isByCaller({ marks, through }: CorpusProgram, { frames }: Alarm): boolean {
  const [caller] = frames;
  if (caller === undefined || !marks.some(({ mark }) => mark === 'LEAK')) return false;
  const direct = marks.filter(({ mark }) => mark === 'DIRECT');
  if (direct.some((mark) => isOn({ frames: [caller] }, mark))) return true;
  const name = caller.function ?? '';
  return through === undefined ? RUNTIMES.test(name) : new RegExp(through).test(name);
}
