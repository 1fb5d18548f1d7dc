import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BtfWriter } from '../../test/fakes/btf.js';
import { describeError, MemWatcherError } from '../errors.js';
import { findField } from './btf-field.js';
import { printType, tracepointPrototype } from './btf-prototype.js';
import { KernelBtf, Kind } from './kernel-btf.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-btf-'));
after(() => rmSync(folder, { recursive: true }));

const parse = (writer: BtfWriter) => new KernelBtf(writer.build(), 'test.btf');

describe('types by name', () => {
  it('finds each kind apart, though names repeat', () => {
    const writer = new BtfWriter();
    const int = writer.int('int');
    const struct = writer.struct('thing', 4, [['a', int, 0]]);
    const typedef = writer.typedef('thing', struct);
    const again = writer.struct('thing', 8, [['b', int, 32]]);
    const btf = parse(writer);
    assert.deepEqual(btf.find('thing', Kind.STRUCT), [struct, again]);
    assert.deepEqual(btf.find('thing', Kind.TYPEDEF), [typedef]);
    assert.deepEqual(btf.find('thin', Kind.STRUCT), []);
    assert.deepEqual(btf.find('', Kind.STRUCT), []);
  });

  it('finds a name that is the tail of another string', () => {
    const writer = new BtfWriter();
    const long = writer.string('my_thing');
    const id = writer.type(Kind.STRUCT, long + 3, 0);
    assert.deepEqual(parse(writer).find('thing', Kind.STRUCT), [id]);
  });

  it('tells names of one hash apart', () => {
    const writer = new BtfWriter();
    // FNV-1a of both is 0x5e4daa9d.
    const [a, b] = ['costarring', 'liquid'];
    const first = writer.struct(a, 1, []);
    const second = writer.struct(b, 2, []);
    const btf = parse(writer);
    assert.deepEqual(btf.find(a, Kind.STRUCT), [first]);
    assert.deepEqual(btf.find(b, Kind.STRUCT), [second]);
  });

  it('reads enumerators of 32 and 64 bits, signed and not', () => {
    const writer = new BtfWriter();
    const loose = writer.enumeration('', { LOOSE: 7, ALIAS: 7 });
    const plain = writer.enumeration('plain', { A: 1, B: 0xffffffff });
    const signed = writer.enumeration('signed', { NEGATIVE: -3 }, true);
    const wide = writer.enumeration64('wide', { HUGE: 0x1_0000_0002n });
    const btf = parse(writer);
    assert.equal(btf.enumerator(plain, 'B'), 0xffffffffn);
    assert.equal(btf.enumerator(signed, 'NEGATIVE'), -3n);
    assert.equal(btf.enumerator(wide, 'HUGE'), 0x1_0000_0002n);
    assert.equal(btf.enumerator(plain, 'HUGE'), undefined);
    assert.equal(btf.findEnumWith('ALIAS'), loose);
    assert.equal(btf.findEnumWith('HUGE'), wide);
    assert.equal(btf.findEnumWith('NONE'), undefined);
    assert.deepEqual(
      [...btf.enumerators(loose)],
      [
        ['LOOSE', 7n],
        ['ALIAS', 7n],
      ],
    );
    assert.deepEqual([...btf.enumerators(signed)], [['NEGATIVE', -3n]]);
    assert.deepEqual([...btf.enumerators(wide)], [['HUGE', 0x1_0000_0002n]]);
  });
});

describe('fields', () => {
  const writer = new BtfWriter();
  const int = writer.int('int');
  const inner = writer.struct('inner', 8, [
    ['x', int, 0],
    ['y', int, 32],
  ]);
  const alias = writer.typedef('inner_t', writer.type(Kind.CONST, '', inner));
  const union = writer.struct('', 8, [['hidden', alias, 0]], Kind.UNION);
  const anonymous = writer.struct('', 12, [
    ['u', int, 0],
    ['', union, 32],
  ]);
  writer.struct('outer', 64, [
    ['first', int, 0],
    ['', anonymous, 64],
    ['list', writer.array(alias, 3), 192],
    ['link', writer.pointer(inner), 384],
  ]);
  writer.struct('bits', 4, [
    ['low', int, 0, 3],
    ['high', int, 3, 5],
    ['whole', int, 32, 0],
  ]);
  const btf = parse(writer);
  const place = (path: string) => {
    const result = findField(btf, path);
    return 'found' in result ? [result.found.bitOffset, result.found.bitSize] : result.missing;
  };

  it('goes through anonymous members, typedefs, qualifiers and arrays', () => {
    assert.deepEqual(place('outer.first'), [0, 0]);
    assert.deepEqual(place('outer.hidden'), [96, 0]);
    assert.deepEqual(place('outer.hidden.y'), [128, 0]);
    assert.deepEqual(place('outer.list[2].y'), [192 + 128 + 32, 0]);
    assert.deepEqual(place('inner_t.y'), [32, 0]);
  });

  it('knows flavours by their kernel name', () => {
    assert.deepEqual(place('outer___before_6_2.hidden.y'), [128, 0]);
    assert.deepEqual(place('struct outer.first'), [0, 0]);
    assert.equal(place('union outer.first'), 'type union outer');
  });

  it('reads bit fields', () => {
    assert.deepEqual(place('bits.high'), [3, 5]);
    assert.deepEqual(place('bits.whole'), [32, 0]);
  });

  it('ends where typedefs go in a circle', () => {
    const writer = new BtfWriter();
    writer.typedef('circle', 1);
    assert.throws(() => findField(parse(writer), 'circle.x'), /type 1 refers to itself/);
  });

  it('says what is missing', () => {
    assert.equal(place('nothing.x'), 'type nothing');
    assert.equal(place('outer.hidden.z'), 'field outer.hidden.z');
    assert.equal(place('outer.list[3]'), 'field outer.list[3]');
    assert.equal(
      place('outer.link.x'),
      'field outer.link.x: outer.link is a pointer, start at its type',
    );
    assert.equal(place('outer'), 'outer names no field: write type.field');
  });
});

describe('prototypes', () => {
  it('prints types as C writes them', () => {
    const writer = new BtfWriter();
    const int = writer.int('int');
    const task = writer.struct('task_struct', 8, []);
    const constant = writer.type(Kind.CONST, '', task);
    const callback = writer.pointer(writer.prototype([int, 0], writer.pointer(0)));
    const fixed = writer.type(Kind.CONST, '', writer.pointer(int));
    const row = writer.pointer(writer.array(int, 4));
    const forward = writer.type(Kind.FWD, 'page', 0);
    const parameters = [writer.pointer(0), writer.pointer(constant), int, callback, fixed, row];
    const prototype = writer.prototype([...parameters, writer.pointer(forward)]);
    writer.typedef('btf_trace_event', writer.pointer(prototype));
    writer.typedef('btf_trace_odd', int);
    const btf = parse(writer);
    assert.deepEqual(tracepointPrototype(btf, 'event'), [
      'const struct task_struct *',
      'int',
      'void *(*)(int, ...)',
      'int * const',
      'int (*)[4]',
      'struct page *',
    ]);
    assert.equal(tracepointPrototype(btf, 'odd'), undefined);
    assert.equal(tracepointPrototype(btf, 'none'), undefined);
    assert.equal(printType(btf, 0), 'void');
  });
});

describe('a file that is not usable', () => {
  const refused = (name: string, content: Uint8Array, why: RegExp) => {
    const file = join(folder, name);
    writeFileSync(file, content);
    assert.throws(
      () => KernelBtf.fromFile(file),
      (error: unknown) => {
        assert(error instanceof MemWatcherError);
        assert.equal(error.code, 'BTF_INVALID');
        assert(error.message.includes(file), error.message);
        assert.match(error.message, why);
        return true;
      },
    );
  };
  const good = () => {
    const writer = new BtfWriter();
    writer.struct('thing', 4, [['a', writer.int('int'), 0]]);
    return writer.build();
  };

  it('is refused with its name', () => {
    refused('garbage', Buffer.from('not BTF, but longer than a header'), /BTF header/);
    refused('empty', Buffer.alloc(0), /BTF header/);
    refused('cut', good().subarray(0, -4), /cut off/);
    refused('swapped', good().subarray(0, 24).swap16(), /byte order/);
    const unknown = new BtfWriter();
    unknown.type(29, 'future', 0);
    refused('unknown-kind', unknown.build(), /kind 29/);
    const overrun = new BtfWriter();
    overrun.type(Kind.STRUCT, 'big', 0, { vlen: 100 });
    refused('overrun', overrun.build(), /cut off/);
    refused('elf', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(100)]), /ELF/);
  });

  it('is refused where it is absent or a folder', () => {
    assert.throws(() => KernelBtf.fromFile(join(folder, 'nowhere')), /nowhere.*ENOENT/);
    assert.throws(
      () => KernelBtf.fromFile(folder),
      (error) => {
        assert.equal(describeError(error).match(/EISDIR/g)?.length, 1, 'the reason is said once');
        return true;
      },
    );
  });

  it('reads as well what is aligned oddly', () => {
    const bytes = Buffer.concat([Buffer.from('x'), good()]).subarray(1);
    assert.deepEqual(new KernelBtf(bytes, 'odd').find('thing', Kind.STRUCT), [2]);
  });
});

describe('a copy of the running kernel’s BTF', () => {
  const vmlinux = '/sys/kernel/btf/vmlinux';
  it('serves as the original does', (test) => {
    const copy = join(folder, 'vmlinux');
    try {
      copyFileSync(vmlinux, copy);
    } catch {
      test.skip(`${vmlinux} is not there`);
      return;
    }
    const [original, copied] = [KernelBtf.fromFile(vmlinux), KernelBtf.fromFile(copy)];
    assert.equal(copied.typeCount, original.typeCount);
    assert.deepEqual(
      copied.find('task_struct', Kind.STRUCT),
      original.find('task_struct', Kind.STRUCT),
    );
    assert.equal(readFileSync(copy).readUInt16LE(0), 0xeb9f);
  });
});
