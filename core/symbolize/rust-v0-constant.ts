/** Constants in Rust's second mangling: numbers, letters, texts, and what is made of them. */
import { Malformed, type V0Reader } from './rust-v0-reader.js';

export class V0Constant {
  readonly #r: V0Reader;
  readonly #path: () => void;

  /** `path` reads and prints the name of a structure. */
  constructor(reader: V0Reader, path: () => void) {
    this.#r = reader;
    this.#path = path;
  }

  print(inType: boolean): void {
    this.#r.nested(() => {
      if (this.#r.take('B')) {
        this.#r.back(() => this.print(inType));
        return;
      }
      const tag = this.#r.next();
      if (tag === 'p') {
        this.#r.print('_');
        return;
      }
      if ('abhijlmnostxy'.includes(tag) || tag === 'c') {
        this.#scalar(tag);
        return;
      }
      const braced = !inType && tag !== 'e';
      if (braced) this.#r.print('{');
      this.#structure(tag);
      if (braced) this.#r.print('}');
    });
  }

  #scalar(tag: string): void {
    const sign = 'ailnsx'.includes(tag) && this.#r.take('n') ? '-' : '';
    const digits = this.#r.hex();
    const value = BigInt(`0x${digits || '0'}`);
    if (tag === 'b') {
      if (value > 1n) throw new Malformed();
      this.#r.print(value === 1n ? 'true' : 'false');
    } else if (tag === 'c') {
      this.#r.print(quoted(Number(value), "'"));
    } else {
      this.#r.print(digits.length > 16 ? `${sign}0x${digits}` : `${sign}${value}`);
    }
  }

  #structure(tag: string): void {
    if (tag === 'e') {
      this.#r.print(`*${this.#string()}`);
      return;
    }
    if (tag === 'R' && this.#r.take('e')) {
      this.#r.print(this.#string());
      return;
    }
    if (tag === 'R' || tag === 'Q') {
      this.#r.print(tag === 'R' ? '&' : '&mut ');
      this.print(true);
      return;
    }
    if (tag === 'A') {
      this.#r.print('[');
      this.#r.list(() => this.print(true));
      this.#r.print(']');
      return;
    }
    if (tag === 'T') {
      this.#r.print('(');
      const count = this.#r.list(() => this.print(true));
      this.#r.print(count === 1 ? ',)' : ')');
      return;
    }
    if (tag !== 'V') throw new Malformed();
    this.#path();
    this.#fields();
  }

  #fields(): void {
    const kind = this.#r.next();
    if (kind === 'U') return;
    const named = kind === 'S';
    if (!named && kind !== 'T') throw new Malformed();
    this.#r.print(named ? ' { ' : '(');
    this.#r.list(() => {
      if (named) this.#r.print(`${this.#r.identifier().name}: `);
      this.print(true);
    });
    this.#r.print(named ? ' }' : ')');
  }

  #string(): string {
    const digits = this.#r.hex(true);
    if (digits.length % 2 !== 0) throw new Malformed();
    const text = Buffer.from(digits, 'hex').toString('utf8');
    return `"${[...text].map((letter) => quoted(letter.codePointAt(0) ?? 0, '"', false)).join('')}"`;
  }
}

function quoted(point: number, quote: string, around = true): string {
  if (point > 0x10ffff || point >>> 11 === 0x1b) throw new Malformed();
  const letter = String.fromCodePoint(point);
  const spelled =
    ESCAPES[letter] ??
    (letter === quote
      ? `\\${letter}`
      : point < 0x20 || (point >= 0x7f && point < 0xa0)
        ? `\\u{${point.toString(16)}}`
        : letter);
  return around ? `${quote}${spelled}${quote}` : spelled;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\\': '\\\\',
  '\0': '\\0',
};
