/**
 * Names of Rust's second mangling (RFC 2603, `_R…`), as rustc's own messages spell them, without
 * crate hashes. A recursive descent over the name, printing as it goes.
 *
 * A back reference may repeat what has another, and so a short name can mean a text without end:
 * depth, steps and output are bounded, and a name beyond them stays mangled.
 */
import { V0Constant } from './rust-v0-constant.js';
import { Malformed, V0Reader } from './rust-v0-reader.js';

/** Undefined if it is no such name, or breaks a bound. */
export function demangleRustV0(name: string): string | undefined {
  const [, body, suffix = ''] = /^_R([A-Z][0-9A-Za-z_]*)([.$].*)?$/s.exec(name) ?? [];
  if (body === undefined) return undefined;
  try {
    const text = new V0(body).symbol();
    return text + suffix.replace(/^\.llvm\.[0-9A-F@]+/, '');
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class V0 {
  readonly #r: V0Reader;
  readonly #constant: V0Constant;
  /** Lifetimes that are bound where we are. */
  #lifetimes = 0;

  constructor(text: string) {
    this.#r = new V0Reader(text);
    this.#constant = new V0Constant(this.#r, () => this.#path(true));
  }

  symbol(): string {
    this.#path(true);
    // The crate that instantiated it, which nobody wants to read.
    if (!this.#r.atEnd) this.#r.silently(() => this.#path(false));
    if (!this.#r.atEnd) throw new Malformed();
    return this.#r.printed;
  }

  #path(inValue: boolean): void {
    this.#r.nested(() => {
      const tag = this.#r.next();
      if (tag === 'C') this.#r.print(this.#r.identifier().name);
      else if (tag === 'N') this.#nestedPath(inValue);
      else if (tag === 'M' || tag === 'X') this.#implementation(tag === 'X');
      else if (tag === 'Y') this.#qualified();
      else if (tag === 'I') this.#generic(inValue);
      else if (tag === 'B') this.#r.back(() => this.#path(inValue));
      else throw new Malformed();
    });
  }

  #nestedPath(inValue: boolean): void {
    const namespace = this.#r.next();
    if (!/[A-Za-z]/.test(namespace)) throw new Malformed();
    this.#path(inValue);
    const { name, disambiguator } = this.#r.identifier();
    if (namespace >= 'a') {
      if (name !== '') this.#r.print(`::${name}`);
      return;
    }
    const kind = SPECIAL[namespace] ?? namespace;
    this.#r.print(`::{${kind}${name === '' ? '' : `:${name}`}#${disambiguator}}`);
  }

  #implementation(ofTrait: boolean): void {
    this.#r.disambiguator();
    this.#r.silently(() => this.#path(false));
    if (ofTrait) {
      this.#qualified();
      return;
    }
    this.#r.print('<');
    this.#type();
    this.#r.print('>');
  }

  #qualified(): void {
    this.#r.print('<');
    this.#type();
    this.#r.print(' as ');
    this.#path(false);
    this.#r.print('>');
  }

  #generic(inValue: boolean): void {
    this.#path(inValue);
    this.#r.print(inValue ? '::<' : '<');
    this.#r.list(() => this.#argument());
    this.#r.print('>');
  }

  #argument(): void {
    if (this.#r.take('L')) this.#lifetime(this.#r.base62());
    else if (this.#r.take('K')) this.#constant.print(false);
    else this.#type();
  }

  #type(): void {
    this.#r.nested(() => {
      const tag = this.#r.next();
      const basic = BASIC[tag];
      if (basic !== undefined) {
        this.#r.print(basic);
        return;
      }
      const compound = this.#compounds[tag];
      if (compound !== undefined) {
        compound();
        return;
      }
      this.#r.unread();
      this.#path(false);
    });
  }

  readonly #compounds: Readonly<Record<string, () => void>> = {
    A: () => this.#array(true),
    S: () => this.#array(false),
    T: () => this.#tuple(),
    R: () => this.#reference(''),
    Q: () => this.#reference('mut '),
    P: () => this.#pointer('*const '),
    O: () => this.#pointer('*mut '),
    F: () => this.#binder(() => this.#function()),
    D: () => this.#dynamic(),
    B: () => this.#r.back(() => this.#type()),
  };

  #array(hasLength: boolean): void {
    this.#r.print('[');
    this.#type();
    if (hasLength) {
      this.#r.print('; ');
      this.#constant.print(true);
    }
    this.#r.print(']');
  }

  #tuple(): void {
    this.#r.print('(');
    const count = this.#r.list(() => this.#type());
    this.#r.print(count === 1 ? ',)' : ')');
  }

  #reference(mutable: string): void {
    this.#r.print('&');
    if (this.#r.take('L')) {
      const lifetime = this.#r.base62();
      if (lifetime !== 0) {
        this.#lifetime(lifetime);
        this.#r.print(' ');
      }
    }
    this.#pointer(mutable);
  }

  #pointer(prefix: string): void {
    this.#r.print(prefix);
    this.#type();
  }

  #function(): void {
    if (this.#r.take('U')) this.#r.print('unsafe ');
    if (this.#r.take('K')) {
      const abi = this.#r.take('C') ? 'C' : this.#r.plainIdentifier().replaceAll('_', '-');
      this.#r.print(`extern "${abi}" `);
    }
    this.#r.print('fn(');
    this.#r.list(() => this.#type());
    this.#r.print(')');
    if (this.#r.take('u')) return;
    this.#r.print(' -> ');
    this.#type();
  }

  #dynamic(): void {
    this.#r.print('dyn ');
    this.#binder(() => this.#r.list(() => this.#dynamicTrait(), ' + '));
    if (!this.#r.take('L')) throw new Malformed();
    const lifetime = this.#r.base62();
    if (lifetime === 0) return;
    this.#r.print(' + ');
    this.#lifetime(lifetime);
  }

  #dynamicTrait(): void {
    let open = this.#openPath();
    while (this.#r.take('p')) {
      this.#r.print(open ? ', ' : '<');
      open = true;
      this.#r.print(`${this.#r.plainIdentifier()} = `);
      this.#type();
    }
    if (open) this.#r.print('>');
  }

  /** A path whose generic arguments are left open, for associated types to follow. */
  #openPath(): boolean {
    if (this.#r.take('B')) {
      let open = false;
      this.#r.back(() => {
        open = this.#openPath();
      });
      return open;
    }
    if (!this.#r.take('I')) {
      this.#path(false);
      return false;
    }
    this.#path(false);
    this.#r.print('<');
    this.#r.list(() => this.#argument());
    return true;
  }

  #binder(body: () => void): void {
    const count = this.#r.take('G') ? this.#r.base62() + 1 : 0;
    if (count > MAX_LIFETIMES) throw new Malformed();
    if (count > 0) {
      this.#r.print('for<');
      for (let n = 0; n < count; n++) {
        this.#lifetimes++;
        if (n > 0) this.#r.print(', ');
        this.#lifetime(1);
      }
      this.#r.print('> ');
    }
    body();
    this.#lifetimes -= count;
  }

  /** 1 is the innermost that is bound. */
  #lifetime(index: number): void {
    if (index === 0) {
      this.#r.print("'_");
      return;
    }
    const depth = this.#lifetimes - index;
    if (depth < 0) throw new Malformed();
    this.#r.print(depth < 26 ? `'${String.fromCharCode(0x61 + depth)}` : `'_${depth}`);
  }
}

const SPECIAL: Readonly<Record<string, string>> = { C: 'closure', S: 'shim' };
const BASIC: Readonly<Record<string, string>> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};
const MAX_LIFETIMES = 256;
