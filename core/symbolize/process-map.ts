/**
 * What a process has mapped executable, from /proc/PID/maps, with the build id of each file.
 *
 * The map is its owner's to shape: names are anything, lines as many as the kernel allows. So what
 * is read is bounded, and a map that was not read whole says so.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { ModuleFiles } from './module-files.js';
import { foreignRootOf } from './process-root.js';
import type { MappedModule, ProcessMap } from './symbolizer.js';

export interface ReadProcessMapOptions {
  /** Keeps the files open; without it they are only looked at. */
  readonly files?: ModuleFiles;
  /** In place of /proc. */
  readonly proc?: string;
}

/** Of a process that has gone: no modules. */
export function readProcessMap(
  pid: number,
  { files, proc = '/proc' }: ReadProcessMapOptions = {},
): ProcessMap {
  const { text, cut } = readBounded(`${proc}/${pid}/maps`);
  const held = files ?? new ModuleFiles({ proc });
  try {
    const modules = parseMaps(text).map((module) => ({ ...module, ...held.hold(pid, module) }));
    const owner = readOwner(pid, proc);
    return new SortedMap(pid, modules, cut, owner, foreignRootOf(pid, proc));
  } finally {
    if (files === undefined) held.close();
  }
}

type Owner = Pick<ProcessMap, 'startTicks' | 'innerPid' | 'user'>;

class SortedMap implements ProcessMap {
  readonly startTicks: number;
  readonly innerPid: number;
  readonly user: number;
  readonly root?: string;

  constructor(
    readonly pid: number,
    readonly modules: readonly MappedModule[],
    readonly cut: boolean,
    owner: Owner | undefined,
    root: string | undefined,
  ) {
    if (root !== undefined) this.root = root;
    this.startTicks = owner?.startTicks ?? 0;
    this.innerPid = owner?.innerPid ?? pid;
    this.user = owner?.user ?? NOBODY_AT_ALL;
  }

  find(address: bigint): MappedModule | undefined {
    let low = 0;
    let high = this.modules.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const module = this.modules[middle];
      if (module === undefined) return undefined;
      if (address < module.start) high = middle;
      else if (address >= module.end) low = middle + 1;
      else return module;
    }
    return undefined;
  }
}

/** The executable lines, by address. Lines that make no sense are left out. */
export function parseMaps(text: string): MappedModule[] {
  const modules: MappedModule[] = [];
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    // `START-END rwxp …`: most lines are not executable, and done with here.
    const space = text.indexOf(' ', at);
    if (space > 0 && space < end && text[space + 3] === 'x') {
      const module = parseLine(text.slice(at, end));
      if (module !== undefined) modules.push(module);
    }
    at = end + 1;
  }
  return modules.sort((a, b) => (a.start < b.start ? -1 : 1));
}

const LINE =
  /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) [r-][w-]x[ps] ([0-9a-f]{1,16}) ([0-9a-f]+:[0-9a-f]+) (\d{1,20}) *(.*)$/s;
const DELETED = ' (deleted)';

function parseLine(line: string): MappedModule | undefined {
  const [, start, end, offset, device = '', inode, name = ''] = LINE.exec(line) ?? [];
  if (start === undefined) return undefined;
  const deleted = name.endsWith(DELETED);
  const path = deleted ? name.slice(0, -DELETED.length) : name;
  return {
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    fileOffset: BigInt(`0x${offset}`),
    // The kernel spells a newline like this, and nothing else.
    path: path.replaceAll('\\012', '\n'),
    deleted,
    device,
    inode: Number(inode),
  };
}

function readBounded(file: string): { readonly text: string; readonly cut: boolean } {
  const pieces: Buffer[] = [];
  let length = 0;
  let cut = false;
  try {
    const fd = openSync(file, 'r');
    try {
      for (;;) {
        const piece = Buffer.allocUnsafe(PIECE);
        const read = readSync(fd, piece);
        if (read === 0) break;
        pieces.push(piece.subarray(0, read));
        length += read;
        cut = length >= MAX_MAPS;
        if (cut) break;
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    // It has gone, or went while it was read.
  }
  const bytes = Buffer.concat(pieces);
  // Half a line would have a path that is none.
  const whole = cut ? bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1) : bytes;
  return { text: whole.toString('utf8'), cut };
}

function readOwner(pid: number, proc: string): Owner | undefined {
  try {
    const text = readFileSync(`${proc}/${pid}/status`, 'latin1');
    const user = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
    const innerPid = /^NSpid:.*?(\d+)$/m.exec(text)?.[1] ?? /^Pid:\s+(\d+)/m.exec(text)?.[1];
    if (user === undefined || innerPid === undefined) return undefined;
    const stat = readFileSync(`${proc}/${pid}/stat`, 'latin1');
    // The name before it may hold anything, a bracket too.
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STARTTIME]);
    return { startTicks, user: Number(user), innerPid: Number(innerPid) };
  } catch {
    return undefined;
  }
}

const NOBODY_AT_ALL = -1;
/** After the name (proc_pid_stat(5) counts from 1, and two come before). */
const STARTTIME = 22 - 3;
const NEWLINE = 0x0a;
const PIECE = 1 << 16;
/** Bytes; some 100,000 mappings. */
const MAX_MAPS = 1 << 23;
