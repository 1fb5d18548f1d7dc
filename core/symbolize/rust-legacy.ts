/**
 * Names of Rust's first mangling: `_ZN3foo3bar17h0123456789abcdefE`, a C++ name whose last part is
 * a hash. What C++ has no letters for is spelled with dollars.
 */

const HASH = /^h[0-9a-f]{16}$/;
const SUFFIX = /^(\.[A-Za-z0-9_.$@-]*)?$/;
/** What the linker adds when it has compiled across crates. */
const LINKER = /^\.llvm\.[0-9A-F@]+/;
const SPELLED: Readonly<Record<string, string>> = {
  SP: '@',
  BP: '*',
  RF: '&',
  LT: '<',
  GT: '>',
  LP: '(',
  RP: ')',
  C: ',',
};

/** Without the hash; undefined if it is no such name. */
export function demangleRustLegacy(name: string): string | undefined {
  if (!name.startsWith('_ZN')) return undefined;
  const parts: string[] = [];
  let at = 3;
  while (at < name.length && name[at] !== 'E') {
    const digits = /^[1-9]\d{0,4}/.exec(name.slice(at, at + 5))?.[0];
    if (digits === undefined) return undefined;
    at += digits.length;
    const end = at + Number(digits);
    if (end > name.length) return undefined;
    parts.push(name.slice(at, end));
    at = end;
  }
  const suffix = name.slice(at + 1).replace(LINKER, '');
  if (name[at] !== 'E' || !SUFFIX.test(suffix)) return undefined;
  if (parts.length < 2 || !HASH.test(parts.pop() ?? '')) return undefined;
  return parts.map(spell).join('::') + suffix;
}

function spell(part: string): string {
  // An identifier may not begin with a dollar, and gets an underscore.
  const text = part.startsWith('_$') ? part.slice(1) : part;
  return text.replace(/\.\.|\$([A-Z]{1,2})\$|\$u([0-9a-f]{1,6})\$/g, (all, short, code) => {
    if (all === '..') return '::';
    if (short !== undefined) return SPELLED[short] ?? all;
    const point = Number.parseInt(code, 16);
    return isPrintable(point) ? String.fromCodePoint(point) : all;
  });
}

const isPrintable = (point: number) =>
  point >= 0x20 && point <= 0x10ffff && !(point >= 0x7f && point < 0xa0) && point >>> 11 !== 0x1b;
