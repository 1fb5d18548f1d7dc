/** Builds the bytes of a pass for tests, as procstat.h lays them out. */
import type { FieldLayout, FieldType, StructLayout } from '../../core/bpf/layout.js';

const u32: FieldType = { kind: 'int', size: 4, signed: false };
const s32: FieldType = { kind: 'int', size: 4, signed: true };
const u64: FieldType = { kind: 'int', size: 8, signed: false };
const s64: FieldType = { kind: 'int', size: 8, signed: true };
const array = (element: FieldType, length: number): FieldType => ({
  kind: 'array',
  length,
  element,
});
const struct = (layout: StructLayout): FieldType => ({ kind: 'struct', layout });

function sizeOf(type: FieldType): number {
  if (type.kind === 'int') return type.size;
  if (type.kind === 'chars') return type.length;
  return type.kind === 'array' ? type.length * sizeOf(type.element) : type.layout.size;
}

function layout(name: string, members: readonly (readonly [string, FieldType])[]): StructLayout {
  let offset = 0;
  const fields: FieldLayout[] = [];
  for (const [field, type] of members) {
    fields.push({ name: field, offset, size: sizeOf(type), type });
    offset += sizeOf(type);
  }
  return { name, size: offset, fields };
}

const memory = layout('procstat_memory', [
  ['total_vm', u64],
  ['hiwater_vm', u64],
  ['hiwater_rss', u64],
  ['locked_vm', u64],
  ['data_vm', u64],
  ['stack_vm', u64],
  ['page_table_bytes', u64],
  ['hugetlb', u64],
  ['counters', array(s64, 4)],
]);

const activity = layout('procstat_activity', [
  ['voluntary_switches', u64],
  ['involuntary_switches', u64],
  ['minor_faults', u64],
  ['major_faults', u64],
]);

export const layouts = {
  process: layout('procstat_process', [
    ['kind', u32],
    ['pid', u32],
    ['ppid', u32],
    ['uid', u32],
    ['has_memory', u32],
    ['cgroup_v1', u32],
    ['cgroup', u64],
    ['start_time', u64],
    ['memory', struct(memory)],
    ['activity', struct(activity)],
    ['comm', { kind: 'chars', length: 16 }],
    ['executable', { kind: 'chars', length: 64 }],
  ]),
  thread: layout('procstat_thread', [
    ['kind', u32],
    ['pid', u32],
    ['activity', struct(activity)],
    ['unfolded', array(s32, 4)],
    ['has_memory', u32],
    ['padding', u32],
    ['memory', struct(memory)],
  ]),
};

export type Value = number | bigint | string | readonly number[] | { readonly [k: string]: Value };
export type Values = Readonly<Record<string, Value>>;

/** Fields that are not given are 0. */
export function encode(of: StructLayout, values: Values): Uint8Array {
  const bytes = new Uint8Array(of.size);
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(values)) {
    const field = of.fields.find((candidate) => candidate.name === name);
    if (!field) throw new Error(`${of.name} has no ${name}`);
    write(view, field.offset, field.type, value);
  }
  return bytes;
}

function write(view: DataView, at: number, type: FieldType, value: Value): void {
  if (type.kind === 'int') {
    const integer = BigInt(value as number);
    if (type.size === 8) view.setBigUint64(at, BigInt.asUintN(64, integer), true);
    else view.setUint32(at, Number(BigInt.asUintN(32, integer)), true);
  } else if (type.kind === 'chars') {
    Buffer.from(view.buffer).write(value as string, at, type.length, 'utf8');
  } else if (type.kind === 'array') {
    for (const [i, element] of (value as readonly number[]).entries()) {
      write(view, at + i * sizeOf(type.element), type.element, element);
    }
  } else {
    Buffer.from(view.buffer).set(encode(type.layout, value as Values), at);
  }
}

export const process = (values: Values) =>
  encode(layouts.process, { kind: 1, has_memory: 1, ...values });

export function thread(values: Values): Uint8Array {
  const bytes = encode(layouts.thread, { kind: 2, ...values });
  const end = layouts.thread.fields.find(({ name }) => name === 'memory')?.offset;
  return values.has_memory ? bytes : bytes.subarray(0, end);
}

export const pass = (...records: Uint8Array[]): Uint8Array =>
  new Uint8Array(Buffer.concat(records));
