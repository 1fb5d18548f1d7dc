/** Where probes go: hand-made functions first, then those of real allocators against objdump. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { casesOf } from '../../test/fakes/cases.js';
import { ElfFile } from './elf-file.js';
import { findSite, type ProbeOptions, probeSite } from './probe-site.js';
import { disassemble, hasObjdump, LIBRARIES } from './testing/objdump.js';

const code = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Padded, as the end of a function may be. */
function site(hex: string, options?: ProbeOptions) {
  return findSite(code(`${hex} c3`), options);
}

const RET = 'c3';

describe('the place of an entry probe', () => {
  const places: readonly [title: string, hex: string, at: number, options?: ProbeOptions][] = [
    ['a push is a good beginning', '53 4889fb 5b', 0],
    ['so is a push of a high register', '4157 5b', 0],
    ['endbr64 is stepped through, the push behind it is not', 'f30f1efa 55 4889e5 5d', 4],
    ['a jump that leaves', 'f30f1efa e900100000', 4],
    ['a comparison, and the jump behind it', '4881ff00100000 7702 53 5b', 7],
    ['what is compared may be memory', '803d710e140000 7402 53 5b', 7],
    ['constants, moves and sums in free registers', 'b801000000 4889f8 4801f0 c1e805 53 5b', 14],
    ['no prefix before what the kernel would emulate', '6690 53 5b', 2],
    ['long nops are only passed', '0f1f440000 0f1f00 53 5b', 8],
    ['free: behind the jump of those who bring nothing', '4885ff 7402 7202', 5, { skipNull: true }],
    ['free: a far jump', '4885ff 0f8400010000 e900010000', 9, { skipNull: true }],
    [
      'a jump is cheaper than a push that fewer come by',
      '4885ff 7402 53 5b',
      3,
      { skipNull: true },
    ],
    ['malloc: all who come', '4885ff 7402 53 5b', 3],
    [
      'free: the jump of those who bring something tells nothing',
      '4885ff 7502 53 5b',
      3,
      { skipNull: true },
    ],
    ['free: what is asked is another register', '4885f6 7402 53 5b', 3, { skipNull: true }],
    ['free: half of the argument is not the argument', '85ff 7402 53 5b', 2, { skipNull: true }],
    [
      'free: between the question and the jump is another',
      '4885ff 4885f6 7402 53 5b',
      6,
      { skipNull: true },
    ],
    ['the second argument may be moved of one', '4889fe 53 5b', 3, { arguments: 1 }],
  ];
  for (const [title, hex, at, options] of places) {
    test(title, () =>
      assert.deepEqual(site(hex, options), { at, sameStack: true, emulated: true }),
    );
  }

  const entries: readonly [title: string, hex: string, options?: ProbeOptions][] = [
    ['an argument is changed', '4889fe 53 5b'],
    ['the first argument is changed', '48c7c701000000 53 5b', { arguments: 1 }],
    ['an argument is changed by half', '89f7 53 5b'],
    ['the stack is moved', '4883ec18 7400 4883c418'],
    ['memory is written', '48893d00000000 53 5b'],
    ['the frame pointer is changed', '4889e5 53 5b'],
    ['a system call', 'b80b000000 0f05 7300'],
    ['it returns', RET],
    ['nothing is understood', '06 53 5b'],
    ['it ends', '4885ff'],
    ['something jumps between', '4885ff 53 5b ebfb'],
    ['something jumps to the place', '4885ff 53 5b ebfc'],
    ['something jumps to the place from afar', '4885ff 53 5b e9f9ffffff'],
    ['a table of jumps', '4885ff 53 5b 3effe0'],
    ['a table of jumps in memory', '4885ff 53 5b ff24c500000000'],
    ['the kernel knows the jump by its prefix only', '4885ff 66740053 5b'],
    ['an exchange that looks like nothing', '4190 53 5b'],
    ['a string instruction', 'f3a4 53 5b'],
    ['a locked one', 'f00fc1f8 53 5b'],
  ];
  for (const [title, hex, options] of entries) {
    test(`the entry, since ${title}`, () => {
      const { at, sameStack, emulated } = site(hex, options);
      assert.deepEqual({ at, sameStack, emulated }, { at: 0, sameStack: true, emulated: false });
    });
  }

  test('a jump back to the entry is a call', () => {
    assert.equal(site('4885ff 53 5b ebf9').at, 3);
  });

  test('a tail call by the table of names leaves the function', () => {
    assert.equal(site('4885ff 53 5b ff2500000000').at, 3);
  });

  test('a jump behind the question costs the place behind it, not the one before', () => {
    const place = site('4885ff 7402 7202 ebfc', { skipNull: true });
    assert.deepEqual(place, { at: 3, sameStack: true, emulated: true });
  });

  test('who does not look at the stack may go behind its move', () => {
    const place = site('f30f1efa 4883ec18 e800000000 4883c418', { anyStack: true });
    assert.deepEqual(place, { at: 8, sameStack: false, emulated: true });
  });

  test('too far is the entry', () => {
    assert.equal(site(`${'4885ff'.repeat(21)} 53 5b`).at, 63);
    assert.equal(site(`${'4885ff'.repeat(22)} 53 5b`).at, 0);
  });
});

/** By name: how many arguments count, and whether null is nothing. */
const FUNCTIONS: Readonly<Record<string, ProbeOptions>> = {
  malloc: { arguments: 1 },
  calloc: { arguments: 2 },
  realloc: { arguments: 2 },
  reallocarray: { arguments: 3 },
  posix_memalign: { arguments: 3 },
  aligned_alloc: { arguments: 2 },
  memalign: { arguments: 2 },
  valloc: { arguments: 1 },
  pvalloc: { arguments: 1 },
  free: { arguments: 1, skipNull: true },
  mmap: { arguments: 6 },
  munmap: { arguments: 2 },
  mremap: { arguments: 4 },
  _Znwm: { arguments: 1 },
  _Znam: { arguments: 1 },
  _ZdlPv: { arguments: 1, skipNull: true },
  _ZdaPv: { arguments: 1, skipNull: true },
};
const ARGUMENTS = [
  ['rdi', 'edi', 'di', 'dil'],
  ['rsi', 'esi', 'si', 'sil'],
  ['rdx', 'edx', 'dx', 'dl', 'dh'],
  ['rcx', 'ecx', 'cx', 'cl', 'ch'],
  ['r8', 'r8d', 'r8w', 'r8b'],
  ['r9', 'r9d', 'r9w', 'r9b'],
];
const STACK = ['rsp', 'esp', 'rbp', 'ebp'];
const EMULATED = /^(push +%|j[a-z]+ +(0x)?[0-9a-f]+|call +(0x)?[0-9a-f]+|nop$)/;
const ONLY_FLAGS = /^(cmp|test)[bwlq]? /;
const NOTHING = /^(endbr64|nop[wl]? |data16|xchg +%ax,%ax)/;

for (const library of casesOf(
  'a library',
  LIBRARIES.filter((path) => existsSync(path)),
)) {
  describe(`functions of ${library}`, { skip: hasObjdump ? false : 'needs objdump' }, () => {
    const elf = ElfFile.open(library);
    for (const fn of elf.functions(Object.keys(FUNCTIONS))) {
      const [name = ''] = fn.names;
      const options = FUNCTIONS[name] ?? {};
      test(`${name}: what objdump shows before the place changes nothing`, async () => {
        const { entry, offset, emulated, sameStack } = probeSite(elf, fn, options);
        assert.equal(entry, fn.offset);
        assert.ok(sameStack);
        const place = fn.address + (offset - entry);
        const kept = [...ARGUMENTS.slice(0, options.arguments).flat(), ...STACK];
        let jumps = 0;
        for await (const { address, text } of disassemble(library, fn.address, place + 15)) {
          const words = text.replace(/#.*|<.*/, '').trim();
          if (address === place) {
            assert.equal(EMULATED.test(words), emulated, words);
            return;
          }
          assert.ok(address < place, 'the place is between two instructions');
          if (/^je /.test(words)) {
            jumps++;
            assert.ok(options.skipNull);
            continue;
          }
          assert.ok(!/^(j|call|ret|push|pop|syscall|leave|bnd)/.test(words), words);
          if (ONLY_FLAGS.test(words) || NOTHING.test(words)) continue;
          const written = /%([a-z0-9]+)$/.exec(words)?.[1];
          assert.ok(written !== undefined && !kept.includes(written), words);
        }
        assert.fail(`objdump shows nothing there; ${jumps} jumps before`);
      });
    }
  });
}

test('arm64, and functions of unknown size: the entry', () => {
  const elf = ElfFile.open(process.execPath);
  const { entry = 0 } = elf;
  const offset = elf.codeOffsetOf(entry) ?? 0;
  const place = { entry: offset, offset, sameStack: true, emulated: false };
  assert.deepEqual(probeSite(elf, { offset, size: 0 }), place);
  assert.deepEqual(probeSite(elf, { offset, size: 1 << 20 }), place);
  elf.close();
});
