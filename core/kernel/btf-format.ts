/** BTF's format: the kinds of types, how long each is, and the pass that finds where each begins. */
import { MemWatcherError } from '../errors.js';

/** `BTF_KIND_*` of include/uapi/linux/btf.h. */
export const Kind = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** Words that follow a type's own three: fixed, and for each of its `vlen` elements. */
const TAIL: readonly (readonly [fixed: number, each: number] | undefined)[] = [
  undefined,
  [1, 0], // INT
  [0, 0],
  [3, 0], // ARRAY
  [0, 3], // STRUCT
  [0, 3], // UNION
  [0, 2], // ENUM
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 2], // FUNC_PROTO
  [1, 0], // VAR
  [0, 3], // DATASEC
  [0, 0],
  [1, 0], // DECL_TAG
  [0, 0],
  [0, 3], // ENUM64
];

/** BTF_INVALID, with the file's name and what to give instead. */
export function btfInvalid(file: string, why: string): MemWatcherError {
  return new MemWatcherError('BTF_INVALID', `${file} is not usable as kernel BTF: ${why}`, {
    hint:
      'give the BTF of the running kernel: a copy of /sys/kernel/btf/vmlinux, or what ' +
      '`pahole --btf_encode_detached=FILE vmlinux` writes',
  });
}

/** By id − 1: the word at which each type begins, and the hash of its name, 0 if it has none. */
export function indexTypes(
  words: Uint32Array,
  strings: Uint8Array,
  file: string,
): [starts: Uint32Array, hashes: Uint32Array] {
  const most = Math.floor(words.length / 3);
  const starts = new Uint32Array(most);
  const hashes = new Uint32Array(most);
  let count = 0;
  let at = 0;
  while (at + 3 <= words.length) {
    const info = words[at + 1] ?? 0;
    const tail = TAIL[(info >>> 24) & 0x1f];
    if (tail === undefined) {
      throw btfInvalid(
        file,
        `type ${count + 1} is of kind ${(info >>> 24) & 0x1f}, which mem-watcher does not know`,
      );
    }
    const name = words[at] ?? 0;
    starts[count] = at;
    if (name !== 0) hashes[count] = hashOf(strings, name);
    count++;
    at += 3 + tail[0] + tail[1] * (info & 0xffff);
  }
  if (at !== words.length) throw btfInvalid(file, 'its types are cut off');
  return [starts.subarray(0, count), hashes.subarray(0, count)];
}

/** FNV-1a of the string that begins at `at`; never 0, which means "no name". */
export function hashOf(bytes: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = at, byte = bytes[i]; byte; byte = bytes[++i]) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0 || 1;
}
