import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NearestSymbols } from './nearest-symbols.js';

const SYMBOLS = `0000000000001000 A cpu_debug_store
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000100 t first
ffffffff81000200 D alias_data
ffffffff81000200 T alias
ffffffff81000200 W alias_weak
ffffffff81000300 T last
ffffffff81000400 T _etext
ffffffff82000000 r table
ffffffffc0000000 t nf_hook\t[nf_tables]
ffffffffc0100000 d nf_data\t[nf_tables]
ffffffffc0200000 t bpf_prog_59f4a931744dcdc6_reclaim\t[bpf]
`;

/** \`name+offset [module]\`, or undefined. */
function found(text: string, address: bigint, cuts: readonly number[] = []): string | undefined {
  const search = new NearestSymbols([address]);
  const bytes = Buffer.from(text, 'latin1');
  for (const [n, from] of [0, ...cuts].entries()) {
    const piece = Buffer.from(bytes.subarray(from, cuts[n]));
    search.feed(piece);
    piece.fill(0x21);
  }
  const known = search.end().get(address);
  if (known === undefined) return undefined;
  const module = known.module === undefined ? '' : ` [${known.module}]`;
  return `${known.name}+${address - known.start}${module}`;
}

describe('the function of an address', () => {
  const cases: Readonly<Record<string, readonly [address: bigint, function: string | undefined]>> =
    {
      'at its beginning': [0xffffffff81000100n, 'first+0'],
      'at its end': [0xffffffff810001ffn, 'first+255'],
      'the first of several names': [0xffffffff81000001n, '_text+1'],
      'code rather than data at one place': [0xffffffff81000204n, 'alias+4'],
      'the last one': [0xffffffff810003ffn, 'last+255'],
      'none where code ends': [0xffffffff81000400n, undefined],
      'none behind': [0xffffffff81ffffffn, undefined],
      'none in data': [0xffffffff82000010n, undefined],
      'none below all': [0xffffffff80ffffffn, undefined],
      'none among addresses of a process': [0x7f0012345678n, undefined],
      'in a module': [0xffffffffc0000041n, 'nf_hook+65 [nf_tables]'],
      'none far behind a module’s last': [0xffffffffc0080000n, undefined],
      'none in a module’s data': [0xffffffffc0100001n, undefined],
      'of a BPF program': [0xffffffffc0200010n, 'bpf_prog_59f4a931744dcdc6_reclaim+16 [bpf]'],
      'none at zero': [0n, undefined],
      'none at the end of all': [0xffffffffffffffffn, undefined],
    };
  for (const [name, [address, expected]] of Object.entries(cases)) {
    it(name, () => assert.equal(found(SYMBOLS, address), expected));
  }

  it('of all at once', () => {
    const addresses = Object.values(cases).map(([address]) => address);
    const search = new NearestSymbols([...addresses, ...addresses]);
    search.feed(Buffer.from(SYMBOLS));
    const names = search.end();
    for (const [address, expected] of Object.values(cases)) {
      assert.equal(names.get(address)?.name, expected?.replace(/\+.*/, ''));
    }
  });

  it('in whatever order the lines stand', () => {
    const shuffled = SYMBOLS.trim().split('\n').toReversed().join('\n');
    assert.equal(found(shuffled, 0xffffffff810001ffn), 'first+255');
    assert.equal(found(shuffled, 0xffffffffc0000041n), 'nf_hook+65 [nf_tables]');
    assert.equal(found(shuffled, 0xffffffff81000404n), undefined);
  });

  it('wherever the text is cut', () => {
    for (let cut = 1; cut < SYMBOLS.length; cut++) {
      for (const second of [cut, cut + 1, cut + 40]) {
        const at = `${cut}, ${second}`;
        const cuts = [cut, second];
        assert.equal(found(SYMBOLS, 0xffffffffc0000041n, cuts), 'nf_hook+65 [nf_tables]', at);
        assert.equal(found(SYMBOLS, 0xffffffff81000204n, cuts), 'alias+4', at);
      }
    }
    const everywhere = Array.from({ length: SYMBOLS.length - 1 }, (_, n) => n + 1);
    assert.equal(found(SYMBOLS, 0xffffffff81000204n, everywhere), 'alias+4');
  });

  it('without a last newline', () => {
    assert.equal(found('ffffffff81000000 t only', 0xffffffff81000001n), 'only+1');
  });
});

describe('what is no symbol', () => {
  const GARBAGE = [
    '',
    '\n\n\n',
    'ffffffff81000000',
    'ffffffff81000000 t',
    'ffffffff81000000 t ',
    'ffffffff81000000  t name',
    'fffffffff81000000 t too_long',
    ' ffffffff81000000 t indented',
    'FFFFFFFF81000000 t capital',
    'xyz t name',
    '-1 t name',
    '\0\0\0\0',
  ];
  for (const line of GARBAGE) {
    it(JSON.stringify(line), () => {
      assert.equal(
        found(`${line}\nffffffff80000000 t real\n${line}`, 0xffffffff80000001n),
        'real+1',
      );
      assert.equal(found(line, 0xffffffff81000001n), undefined);
    });
  }

  it('what cannot be printed is not handed on', () => {
    const name = 'a\x1b[31mb\xff c\r';
    const text = `ffffffff81000000 t ${name}\t[m\x07od]\n`;
    assert.equal(found(text, 0xffffffff81000000n), 'a?[31mb??c?+0 [m?od]');
  });

  it('names are as long as the kernel’s at most, lines as well', () => {
    const text = `ffffffff81000000 t ${'x'.repeat(100_000)}\nffffffff82000000 t next\n`;
    const cuts = Array.from({ length: 99 }, (_, n) => 1000 * (n + 1));
    for (const each of [[], cuts]) {
      assert.equal(found(text, 0xffffffff81000001n, each), `${'x'.repeat(511)}+1`);
      assert.equal(found(text, 0xffffffff82000001n, each), 'next+1');
    }
  });
});

describe('addresses that the kernel hides', () => {
  const hidden = (text: string) => {
    const search = new NearestSymbols([0xffffffff81000001n]);
    search.feed(Buffer.from(text));
    assert.equal(search.end().size, search.hidden || text === '' ? 0 : 1);
    return search.hidden;
  };

  it('are all zero', () => {
    assert.equal(hidden('0000000000000000 T _text\n0000000000000000 T _stext\n'), true);
    assert.equal(hidden('0000000000000000 A __per_cpu_start\nffffffff81000000 T _text\n'), false);
    assert.equal(hidden(''), false);
  });
});
