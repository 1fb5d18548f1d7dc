/** Which programs go where: the functions of a file, by each strategy. */
import type { BpfLink, BpfObject } from '../../../core/bpf/host.js';
import { MemWatcherError } from '../../../core/errors.js';
import { hasResult, type ProbedFile, type ProbeSite, SHAPES } from './user-watch.js';

/** ML_LEAF and ML_EXITS of memleak.h. */
const LEAF = 0x100;
const EXITS = 0x200;
/** ML_GROUP_BIT: cookies have the group's number above it. */
const GROUP = 2 ** 16;

const returns = ({ shape, exits }: ProbeSite): boolean => !exits && hasResult(shape);

/** Functions that call no other allocator, by whatever library. */
const LEAVES = /^(?:__libc_|__|je_|tc_|mi_)?(?:malloc|valloc|pvalloc)$/;

/** Whom probes are for: one process, or all that are of a group. */
export type Whom = { readonly pid: number } | { readonly group: number };

/** Attaches to all of the file's functions, or throws and has attached to none. */
export function attachProbes(
  object: BpfObject,
  strategy: string,
  whom: Whom,
  file: ProbedFile,
): BpfLink {
  const links: BpfLink[] = [];
  const group = 'group' in whom ? whom.group : 0;
  const pid = 'pid' in whom ? { pid: whom.pid } : {};
  try {
    for (const plan of plansOf(strategy, file.sites)) {
      const { program, offsets, cookies } = plan;
      links.push(
        object.attachUprobes(program, {
          ...{ path: file.path, offsets, ...pid },
          ...(cookies && { cookies: cookies.map((cookie) => cookie + group * GROUP) }),
        }),
      );
    }
  } catch (error) {
    closeAll(links, error);
    throw error;
  }
  return {
    program: strategy,
    readAll: () => {
      throw new MemWatcherError('BPF_RUN_FAILED', 'probes of an allocator are no iterator');
    },
    close: () => closeAll(links.splice(0)),
    closeSoon: async () => {
      // All at once: each waits for the same in the kernel.
      await Promise.all(links.splice(0).map((link) => link.closeSoon?.() ?? link.close()));
    },
  };
}

interface Plan {
  readonly program: string;
  readonly offsets: readonly number[];
  readonly cookies?: readonly number[];
}

/** Returns first, so that no call is seen to begin whose end is not; detached the other way round. */
function plansOf(strategy: string, sites: readonly ProbeSite[]): Plan[] {
  if (sites.length === 0) return [];
  // Functions share their ends: a place is probed once.
  const exits = [...new Set(sites.flatMap((site) => site.exits ?? []))];
  const atExits = exits.length > 0 ? [{ program: 'at_exit', offsets: exits }] : [];
  const [seen, returned] = byEnd(sites);
  if (strategy === 'session') {
    // In a child that the process forks the kernel prepares the return of each call that a session is
    // for, whatever its program says: an exception would end the child.
    return [...atExits, ...entries('multi_entry', seen), ...entries('session', returned)];
  }
  // At the same place, where the stack is what it is at the entry: one breakpoint for both.
  const returning = sites.filter(returns).map(placeOf);
  const plans: Plan[] = [...atExits];
  if (returning.length > 0) plans.push({ program: 'any_return', offsets: returning });
  if (strategy === 'multi') {
    return [...plans, ...entries('multi_entry', sites)];
  }
  for (const shape of SHAPES) {
    const [atRet, other] = byEnd(sites.filter((site) => site.shape === shape));
    if (other.length > 0) plans.push({ program: `entry_${shape}`, offsets: other.map(placeOf) });
    // Without cookies a program says that its calls are seen to end at a `ret`.
    if (atRet.length > 0) {
      plans.push({ program: `entry_exits_${shape}`, offsets: atRet.map(placeOf) });
    }
  }
  return plans;
}

/** Those whose calls are seen to end at a `ret`, and the others. */
const byEnd = (sites: readonly ProbeSite[]) =>
  [sites.filter(({ exits }) => exits), sites.filter(({ exits }) => !exits)] as const;

const entries = (program: string, sites: readonly ProbeSite[]): Plan[] =>
  sites.length > 0 ? [{ program, offsets: sites.map(placeOf), cookies: sites.map(cookieOf) }] : [];

/** Where the stack is still what it is as the function begins, and the kernel steps through nothing. */
const placeOf = ({ offset }: ProbeSite): number => offset;

const cookieOf = ({ shape, symbol, leaf = LEAVES.test(symbol), exits }: ProbeSite): number =>
  SHAPES.indexOf(shape) | (leaf ? LEAF : 0) | (exits ? EXITS : 0);

/** Newest first. Says what went wrong, unless something else already did. */
function closeAll(links: readonly BpfLink[], cause?: unknown): void {
  const errors: unknown[] = [];
  for (const link of [...links].reverse()) {
    try {
      link.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 0) return;
  if (cause !== undefined) errors.unshift(cause);
  throw new AggregateError(errors, 'detaching from an allocator failed');
}
