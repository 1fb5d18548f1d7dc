/**
 * Where the fields of procstat's records lie, from the object's own BTF. Looked up by name once:
 * an object of another build is refused here, not misread later.
 */
import type { StructLayout } from '../../core/bpf/layout.js';
import { MemWatcherError } from '../../core/errors.js';
import type {
  ProcstatActivity,
  ProcstatMemory,
  ProcstatProcess,
  ProcstatThread,
} from './events.gen.js';

function offsets<Struct>(layout: StructLayout): (name: keyof Struct & string) => number {
  const all: Record<string, number> = Object.fromEntries(
    layout.fields.map(({ name, offset }) => [name, offset]),
  );
  return (name) => {
    const offset = all[name];
    if (offset === undefined) {
      throw new MemWatcherError('LAYOUT_INVALID', `struct ${layout.name} has no field ${name}`, {
        hint: 'the BPF object and the agent are of different builds: build both again',
      });
    }
    return offset;
  };
}

function nested(layout: StructLayout, name: string): StructLayout {
  const type = layout.fields.find((field) => field.name === name)?.type;
  if (type?.kind !== 'struct') {
    throw new MemWatcherError('LAYOUT_INVALID', `${layout.name}.${name} is not a struct`);
  }
  return type.layout;
}

export function activityOffsets(layout: StructLayout) {
  const at = offsets<ProcstatActivity>(layout);
  return {
    voluntary: at('voluntary_switches'),
    involuntary: at('involuntary_switches'),
    minor: at('minor_faults'),
    major: at('major_faults'),
  };
}

function memoryOffsets(layout: StructLayout) {
  const at = offsets<ProcstatMemory>(layout);
  return {
    virtual: at('total_vm'),
    virtualPeak: at('hiwater_vm'),
    peak: at('hiwater_rss'),
    locked: at('locked_vm'),
    data: at('data_vm'),
    stack: at('stack_vm'),
    pageTables: at('page_table_bytes'),
    hugetlb: at('hugetlb'),
    counters: at('counters'),
  };
}

export function processOffsets(layout: StructLayout) {
  const at = offsets<ProcstatProcess>(layout);
  return {
    size: layout.size,
    ppid: at('ppid'),
    uid: at('uid'),
    hasMemory: at('has_memory'),
    cgroupV1: at('cgroup_v1'),
    cgroup: at('cgroup'),
    startTime: at('start_time'),
    memory: at('memory'),
    memoryAt: memoryOffsets(nested(layout, 'memory')),
    activity: at('activity'),
    activityAt: activityOffsets(nested(layout, 'activity')),
    comm: at('comm'),
    executable: at('executable'),
  };
}

export function threadOffsets(layout: StructLayout) {
  const at = offsets<ProcstatThread>(layout);
  return {
    size: layout.size,
    activity: at('activity'),
    unfolded: at('unfolded'),
    hasMemory: at('has_memory'),
    memory: at('memory'),
  };
}
