/** Numbers as DWARF writes them, read from front to back; the end of the bytes is ELF_INVALID. */
import { invalid } from './elf-bytes.js';

/** Low half of an encoding (DW_EH_PE_*): the form; high half: what it is relative to. */
const FORM = { absolute: 0, udata2: 2, udata4: 3, udata8: 4, sdata2: 10, sdata4: 11, sdata8: 12 };
const RELATIVE = { nothing: 0x00, place: 0x10, data: 0x30 };
const OMITTED = 0xff;

export class DwarfReader {
  readonly #view: DataView;
  /** Virtual address of the first byte. */
  readonly #address: number;
  at = 0;

  constructor(view: DataView, address: number) {
    this.#view = view;
    this.#address = address;
  }

  get done(): boolean {
    return this.at >= this.#view.byteLength;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
      if (scale > 2 ** 49) throw invalid('a number without an end');
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return (byte & 0x40) === 0 ? value : value - scale * 128;
      if (scale > 2 ** 42) throw invalid('a number without an end');
    }
  }

  /** Up to the zero, which is passed. */
  text(longest: number): string {
    let text = '';
    for (let code = this.u8(); code !== 0; code = this.u8()) {
      text += String.fromCharCode(code);
      if (text.length > longest) throw invalid('a text without an end');
    }
    return text;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** An address; `data` is what those are relative to that are so to their table. */
  pointer(encoding: number, data = 0): number | undefined {
    if (encoding === OMITTED) return undefined;
    const place = this.#address + this.at;
    const value = this.#value(encoding & 0x0f);
    switch (encoding & 0x70) {
      case RELATIVE.nothing:
        return value;
      case RELATIVE.place:
        return place + value;
      case RELATIVE.data:
        return data + value;
      default:
        throw invalid('an address of an unknown kind');
    }
  }

  #value(form: number): number {
    switch (form) {
      case FORM.absolute:
      case FORM.udata8:
      case FORM.sdata8: {
        const at = this.#take(8);
        return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 2 ** 32;
      }
      case FORM.udata4:
        return this.u32();
      case FORM.sdata4:
        return this.#view.getInt32(this.#take(4), true);
      case FORM.udata2:
        return this.u16();
      case FORM.sdata2:
        return this.#view.getInt16(this.#take(2), true);
      default:
        throw invalid('an address of an unknown form');
    }
  }

  #take(length: number): number {
    const { at } = this;
    if (length < 0 || at + length > this.#view.byteLength) throw invalid('frames are cut short');
    this.at += length;
    return at;
  }
}
