/**
 * pprof's profile.proto, gzipped: what `go tool pprof`, Google's pprof and most profile stores open.
 * Samples have four values as Go's heap profiles do, of which the last two are what is outstanding:
 * alloc_objects, alloc_space, inuse_objects, inuse_space. Estimates where sampled, in whole numbers.
 * Field numbers are those of github.com/google/pprof/proto/profile.proto.
 */
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ProtobufWriter, VARINT } from '../../../core/telemetry/protobuf-writer.js';
import type { LeakSnapshot, LeakStack, Target } from '../model.js';
import { bySize } from './frames.js';
import { type Location, type Mapping, ProfileTables } from './pprof-profile.js';
import { formatShare } from './units.js';

const SAMPLE_TYPES = [
  ['alloc_objects', 'count'],
  ['alloc_space', 'bytes'],
  ['inuse_objects', 'count'],
  ['inuse_space', 'bytes'],
] as const;
const DEFAULT_TYPE = 'inuse_space';

interface Sample {
  readonly locations: readonly number[];
  readonly values: readonly number[];
  readonly labels: readonly Label[];
}

/** Text, or a number with its unit. */
type Label = { readonly key: number } & (
  | { readonly text: number }
  | { readonly number: number; readonly unit: number }
);

export const pprofBytes = (snapshot: LeakSnapshot): Uint8Array => gzipSync(profileProto(snapshot));

export function profileProto(snapshot: LeakSnapshot): Uint8Array {
  const tables = new ProfileTables();
  const executables = snapshot.targets.map(({ executable }) => basename(executable));
  tables.begin(snapshot.stacks, executables.filter(Boolean));
  const samples = snapshot.stacks.toSorted(bySize).map((stack) => sampleOf(stack, tables));
  const types = SAMPLE_TYPES.map(([type, unit]) => [tables.string(type), tables.string(unit)]);
  const comments = commentsOf(snapshot).map((text) => tables.string(text));
  const interval = Math.round(snapshot.targets[0]?.coverage.samplingInterval ?? 0);
  const out = new ProtobufWriter();
  // Last field first: see ProtobufWriter.
  number(out, 14, tables.string(DEFAULT_TYPE));
  for (const comment of comments.toReversed()) present(out, 13, comment);
  number(out, 12, interval);
  if (interval > 0)
    message(out, 11, () => valueType(out, tables.string('space'), tables.string('bytes')));
  out.varint64(BigInt(Math.round(Math.max(0, snapshot.time - snapshot.startTime))) * 1_000_000n);
  out.tag(10, VARINT);
  out.varint64(BigInt(Math.round(snapshot.time)) * 1_000_000n);
  out.tag(9, VARINT);
  for (const text of tables.strings.toReversed()) out.string(6, text);
  for (const { id, name, file } of tables.functions.toReversed()) {
    message(out, 5, () => {
      number(out, 4, file);
      // No system_name: pprof would take an equal one for mangled, and shorten what it holds.
      number(out, 2, name);
      number(out, 1, id);
    });
  }
  for (const location of tables.locations.toReversed()) writeLocation(out, location);
  for (const mapping of tables.mappings.toReversed()) writeMapping(out, mapping);
  for (const sample of samples.toReversed()) writeSample(out, sample);
  for (const [type = 0, unit = 0] of types.toReversed())
    message(out, 1, () => valueType(out, type, unit));
  return out.finish();
}

function sampleOf(stack: LeakStack, tables: ProfileTables): Sample {
  const { reading, judgement, id } = stack;
  const { allocatedCount, allocatedBytes, allocations, bytes, source } = reading;
  const text = (key: string, value: string): Label => ({
    key: tables.string(key),
    text: tables.string(value),
  });
  return {
    locations: tables.locationsOf(stack),
    values: [allocatedCount, allocatedBytes, allocations, bytes].map(Math.round),
    labels: [
      text('stack_id', id),
      text('state', judgement.state),
      ...(judgement.class === undefined ? [] : [text('class', judgement.class)]),
      ...(reading.origin === undefined ? [] : [text('origin', reading.origin)]),
      source.kind === 'kernel'
        ? text('source', 'kernel')
        : { key: tables.string('pid'), number: source.pid, unit: 0 },
    ],
  };
}

/** What a reader must know to trust the figures. */
function commentsOf({ targets, omitted }: LeakSnapshot): string[] {
  return [
    ...targets.map(targetComment),
    ...(omitted > 0
      ? [`${omitted} stacks with outstanding allocations are not in this profile`]
      : []),
  ];
}

function targetComment({ source, comm, coverage, reason }: Target): string {
  const { samplingInterval, recorded, missedAllocations, missedFrees } = coverage;
  const who = source.kind === 'kernel' ? 'kernel' : `${comm} (${source.pid})`;
  const seen = recorded + missedAllocations;
  const share = formatShare(seen === 0 ? undefined : recorded / seen);
  const how =
    samplingInterval === 0
      ? 'every allocation'
      : `one allocation in ${Math.round(samplingInterval)} bytes, estimated`;
  const missed = `${missedAllocations} allocations and ${missedFrees} frees missed`;
  return `${who}: ${how}; ${share} recorded, ${missed}${reason === undefined ? '' : `; ${reason}`}`;
}

/** Nothing of 0, as protobuf has it. */
function number(out: ProtobufWriter, field: number, value: number): void {
  if (value !== 0) present(out, field, value);
}

/** An element of a repeated field: 0 counts. */
function present(out: ProtobufWriter, field: number, value: number): void {
  out.varint(value);
  out.tag(field, VARINT);
}

function address(out: ProtobufWriter, field: number, value: bigint): void {
  if (value === 0n) return;
  out.varint64(value);
  out.tag(field, VARINT);
}

function message(out: ProtobufWriter, field: number, write: () => void): void {
  const from = out.length;
  write();
  out.endBytes(field, from);
}

const packed = (out: ProtobufWriter, field: number, values: readonly number[]): void =>
  message(out, field, () => {
    for (const value of values.toReversed()) out.varint(value);
  });

function valueType(out: ProtobufWriter, type: number, unit: number): void {
  number(out, 2, unit);
  number(out, 1, type);
}

function writeSample(out: ProtobufWriter, { locations, values, labels }: Sample): void {
  message(out, 2, () => {
    for (const label of labels.toReversed()) {
      message(out, 3, () => {
        if ('text' in label) {
          number(out, 2, label.text);
        } else {
          number(out, 4, label.unit);
          number(out, 3, label.number);
        }
        number(out, 1, label.key);
      });
    }
    packed(out, 2, values);
    packed(out, 1, locations);
  });
}

function writeMapping(out: ProtobufWriter, mapping: Mapping): void {
  message(out, 3, () => {
    number(out, 10, Number(mapping.hasFunctions));
    number(out, 9, Number(mapping.hasLines));
    number(out, 8, Number(mapping.hasLines));
    number(out, 7, Number(mapping.hasFunctions));
    number(out, 6, mapping.buildId);
    number(out, 5, mapping.file);
    address(out, 4, mapping.offset);
    address(out, 3, mapping.limit);
    address(out, 2, mapping.start);
    number(out, 1, mapping.id);
  });
}

function writeLocation(out: ProtobufWriter, location: Location): void {
  message(out, 4, () => {
    for (const { functionId, line } of location.lines.toReversed()) {
      message(out, 4, () => {
        number(out, 2, line);
        number(out, 1, functionId);
      });
    }
    address(out, 3, location.address);
    number(out, 2, location.mapping);
    number(out, 1, location.id);
  });
}
