/** Which of a process's memory may hold pointers to its blocks: /proc/PID/maps and /proc/PID/pagemap. */

/** A line of /proc/PID/maps. Exclusive of `end`. */
export interface Area {
  readonly start: number;
  readonly end: number;
  readonly isShared: boolean;
  readonly isWritable: boolean;
  readonly path: string;
}

/** Pages in a row, exclusive of `end`. */
export interface Run {
  readonly start: number;
  readonly end: number;
  /** To read it is to bring it back from swap. */
  readonly isSwapped: boolean;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) .(.).(.) \S+ \S+ \d+ *(.*)$/gm;
/** The kernel's own: it holds no pointers of the program, or cannot be read. */
const OF_KERNEL = ['[vvar]', '[vvar_vclock]', '[vsyscall]', '[uprobes]'];

export function parseAreas(maps: string): Area[] {
  return [...maps.matchAll(LINE)].flatMap(([, start = '', end = '', write, share, path = '']) =>
    OF_KERNEL.includes(path)
      ? []
      : [
          {
            start: Number.parseInt(start, 16),
            end: Number.parseInt(end, 16),
            isShared: share === 's',
            isWritable: write === 'w',
            path,
          },
        ],
  );
}

/** Upper halves of an entry of pagemap (Documentation/admin-guide/mm/pagemap.rst). */
const PRESENT = 2 ** 31;
const SWAPPED = 2 ** 30;
/** The page is of a file, or shared anonymous memory. */
const OF_FILE = 2 ** 29;

/**
 * Pages that may hold a pointer. Of private memory those that were written: a page that is still the
 * file's holds what the file does. Of shared memory those that the process has touched, where it may
 * write. `entries`: of pagemap, from the area's first page on.
 */
export function runsOf(area: Area, entries: Uint32Array, pageSize: number): Run[] {
  const runs: Run[] = [];
  if (area.isShared && !area.isWritable) return runs;
  let began = 0;
  let kind = 0;
  const count = entries.length / 2;
  for (let page = 0; page <= count; page++) {
    const now = page < count ? kindOf(entries[2 * page + 1] as number, area.isShared) : 0;
    if (now === kind) continue;
    if (kind !== 0) {
      runs.push({
        start: area.start + began * pageSize,
        end: area.start + page * pageSize,
        isSwapped: kind === SWAPPED,
      });
    }
    began = page;
    kind = now;
  }
  return runs;
}

/** To read the registers of a device may change what it does. */
export const isDevice = ({ path }: Area): boolean =>
  path.startsWith('/sys/') || (path.startsWith('/dev/') && !MEMORY.test(path));

/** What lies in /dev and is memory all the same. */
const MEMORY = /^\/dev\/(zero|shm\/|hugepages\/)/;

export const isPresent = (entries: Uint32Array): boolean => ((entries[1] ?? 0) & PRESENT) !== 0;

function kindOf(entry: number, isShared: boolean): number {
  if ((entry & SWAPPED) !== 0) return isShared ? 0 : SWAPPED;
  if ((entry & PRESENT) === 0) return 0;
  return isShared || (entry & OF_FILE) === 0 ? PRESENT : 0;
}
