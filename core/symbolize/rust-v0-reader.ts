/** A mangled name from front to back and what has been printed of it, both bounded. */
import { decodePunycode } from './punycode.js';

/** It is no name, or one beyond all bounds. */
export class Malformed extends Error {}

export class V0Reader {
  readonly #text: string;
  #at = 0;
  #out = '';
  #depth = 0;
  #steps = 0;
  #silent = false;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get printed(): string {
    return this.#out;
  }

  unread(): void {
    this.#at--;
  }

  list(item: () => void, separator = ', '): number {
    let count = 0;
    for (; !this.take('E'); count++) {
      if (count > 0) this.print(separator);
      item();
    }
    return count;
  }

  identifier(): { readonly name: string; readonly disambiguator: number } {
    const disambiguator = this.disambiguator();
    return { disambiguator, name: this.plainIdentifier() };
  }

  disambiguator(): number {
    return this.take('s') ? this.base62() + 1 : 0;
  }

  plainIdentifier(): string {
    const coded = this.take('u');
    const digits = /^(0|[1-9]\d{0,6})/.exec(this.#text.slice(this.#at, this.#at + 8))?.[0];
    if (digits === undefined) throw new Malformed();
    this.#at += digits.length;
    this.take('_');
    const end = this.#at + Number(digits);
    if (end > this.#text.length) throw new Malformed();
    const name = this.#text.slice(this.#at, end);
    this.#at = end;
    if (!coded) return name;
    const split = name.lastIndexOf('_');
    const decoded = decodePunycode(name.slice(0, Math.max(split, 0)), name.slice(split + 1));
    return decoded ?? `punycode{${name}}`;
  }

  base62(): number {
    if (this.take('_')) return 0;
    let value = 0;
    for (let letter = this.next(); letter !== '_'; letter = this.next()) {
      value = value * 62 + DIGITS.indexOf(letter);
      if (value > MAX_BASE62) throw new Malformed();
    }
    return value + 1;
  }

  back(read: () => void): void {
    const from = this.#at - 1;
    const target = this.base62();
    if (target >= from) throw new Malformed();
    // What is not printed has been read where it stood.
    if (this.#silent) return;
    const after = this.#at;
    this.#at = target;
    read();
    this.#at = after;
  }

  silently(read: () => void): void {
    const before = this.#silent;
    this.#silent = true;
    read();
    this.#silent = before;
  }

  nested(read: () => void): void {
    if (++this.#depth > MAX_DEPTH || ++this.#steps > MAX_STEPS) throw new Malformed();
    read();
    this.#depth--;
  }

  hex(whole = false): string {
    const from = this.#at;
    const end = this.#text.indexOf('_', from);
    const digits = end < 0 ? 'x' : this.#text.slice(from, end);
    if (!/^[0-9a-f]*$/.test(digits)) throw new Malformed();
    this.#at = end + 1;
    return whole ? digits : digits.replace(/^0+/, '');
  }

  next(): string {
    const letter = this.#text[this.#at++];
    if (letter === undefined) throw new Malformed();
    return letter;
  }

  take(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  print(text: string): void {
    if (this.#silent) return;
    this.#out += text;
    if (this.#out.length > MAX_OUTPUT) throw new Malformed();
  }
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const MAX_BASE62 = 2 ** 64;
const MAX_DEPTH = 200;
const MAX_STEPS = 20_000;
const MAX_OUTPUT = 16_384;
