import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BtfWriter } from '../../test/fakes/btf.js';
import { MemWatcherError } from '../errors.js';
import { Btf } from './btf.js';
import type { StructLayout } from './layout.js';
import { structLayout } from './struct.js';

/** The layout of `struct s`, of the members that `build` gives with their total size in bytes. */
function layoutOf(
  build: (btf: BtfWriter) => [size: number, ...members: [string, number, number, number?][]],
): StructLayout {
  const writer = new BtfWriter();
  const [size, ...members] = build(writer);
  writer.struct('s', size, members);
  return structLayout(Btf.parse(writer.build()), 's');
}

test('integers, enums, text, arrays and structs keep their place', () => {
  const layout = layoutOf((btf) => {
    const u64 = btf.typedef('__u64', btf.int('unsigned long long', 8));
    const signed = btf.type(1, 'int', 4, { words: [(1 << 24) | 32] });
    const char = btf.int('char', 1);
    const state = btf.enumeration('state', { ON: 1 });
    const inner = btf.struct('inner', 8, [
      ['a', signed, 0],
      ['b', state, 32],
    ]);
    const constant = btf.type(10, '', inner);
    return [
      8 + 16 + 16 + 8,
      ['total', u64, 0],
      ['name', btf.array(char, 16), 64],
      ['pair', btf.array(u64, 2), 192],
      ['last', constant, 320],
    ];
  });
  const int = (size: 4 | 8, signed: boolean) => ({ kind: 'int', size, signed });
  assert.deepEqual(layout, {
    name: 's',
    size: 48,
    fields: [
      { name: 'total', offset: 0, size: 8, type: int(8, false) },
      { name: 'name', offset: 8, size: 16, type: { kind: 'chars', length: 16 } },
      {
        name: 'pair',
        offset: 24,
        size: 16,
        type: { kind: 'array', length: 2, element: int(8, false) },
      },
      {
        name: 'last',
        offset: 40,
        size: 8,
        type: {
          kind: 'struct',
          layout: {
            name: 'inner',
            size: 8,
            fields: [
              { name: 'a', offset: 0, size: 4, type: int(4, true) },
              { name: 'b', offset: 4, size: 4, type: int(4, false) },
            ],
          },
        },
      },
    ],
  });
});

test('a typedef and a global lead to their struct', () => {
  const writer = new BtfWriter();
  const int = writer.int('int');
  const anonymous = writer.struct('', 4, [['a', int, 0]]);
  writer.typedef('named', anonymous);
  writer.type(14, 'global', anonymous, { words: [1] });
  const btf = Btf.parse(writer.build());
  assert.equal(structLayout(btf, 'named').name, 'named');
  assert.equal(structLayout(btf, 'global').fields[0]?.name, 'a');
});

const refused: [what: string, RegExp, Parameters<typeof layoutOf>[0]][] = [
  [
    'a hole',
    /hole of 4 bytes before s\.b/,
    (btf) => {
      const [u32, u64] = [btf.int('u32'), btf.int('u64', 8)];
      return [16, ['a', u32, 0], ['b', u64, 64]];
    },
  ],
  [
    'padding at the end',
    /hole of 4 bytes at the end of s/,
    (btf) => {
      const [u32, u64] = [btf.int('u32'), btf.int('u64', 8)];
      return [16, ['a', u64, 0], ['b', u32, 64]];
    },
  ],
  [
    'a hole in a nested struct',
    /hole of 3 bytes at the end of s\.in/,
    (btf) => {
      const inner = btf.struct('inner', 4, [['a', btf.int('u8', 1), 0]]);
      return [4, ['in', inner, 0]];
    },
  ],
  ['a bitfield', /s\.flag is a bitfield/, (btf) => [4, ['flag', btf.int('u32'), 0, 3]]],
  ['a pointer', /s\.next is a pointer/, (btf) => [8, ['next', btf.pointer(0), 0]]],
  [
    'a union',
    /s\.either is a union/,
    (btf) => {
      const int = btf.int('int');
      return [
        4,
        [
          'either',
          btf.struct(
            'u',
            4,
            [
              ['a', int, 0],
              ['b', int, 0],
            ],
            5,
          ),
          0,
        ],
      ];
    },
  ],
  ['__u128', /s\.wide is an integer of 16 bytes/, (btf) => [16, ['wide', btf.int('u128', 16), 0]]],
  [
    'a flexible array',
    /s\.rest is an array without/,
    (btf) => {
      const u64 = btf.int('u64', 8);
      return [8, ['count', u64, 0], ['rest', btf.array(u64, 0), 64]];
    },
  ],
  [
    'a member without a name',
    /s\.\(anonymous\) has no name/,
    (btf) => {
      const inner = btf.struct('', 4, [['a', btf.int('int'), 0]]);
      return [4, ['', inner, 0]];
    },
  ],
];
for (const [what, message, build] of refused) {
  test(`${what} is refused, and named`, () => {
    assert.throws(
      () => layoutOf(build),
      (error) => {
        assert(error instanceof MemWatcherError);
        assert.equal(error.code, 'LAYOUT_INVALID');
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test('a name that the BTF lacks is refused', () => {
  const btf = Btf.parse(new BtfWriter().build());
  assert.throws(() => structLayout(btf, 'nothing'), /has no struct nothing/);
});

test('a struct that contains itself ends in an error', () => {
  const writer = new BtfWriter();
  writer.struct('s', 4, [['self', 1, 0]]);
  assert.throws(() => structLayout(Btf.parse(writer.build()), 's'), /s\.self contains itself/);
});
