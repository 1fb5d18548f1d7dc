/** Identifiers beyond ASCII, as RFC 3492 puts them into it. */

const BASE = 36;
const MIN_THRESHOLD = 1;
const MAX_THRESHOLD = 26;
const SKEW = 38;
const DAMP = 700;
const FIRST_BIAS = 72;
const FIRST_POINT = 128;
const MAX_LENGTH = 256;

/** `plain` has the ASCII letters, `coded` the others and their places. Undefined if it is wrong. */
export function decodePunycode(plain: string, coded: string): string | undefined {
  const letters = [...plain];
  let point = FIRST_POINT;
  let place = 0;
  let bias = FIRST_BIAS;
  for (let at = 0; at < coded.length; ) {
    const before = place;
    let weight = 1;
    for (let position = BASE; ; position += BASE) {
      const digit = digitOf(coded.charCodeAt(at++));
      if (digit === undefined) return undefined;
      place += digit * weight;
      const threshold = Math.min(Math.max(position - bias, MIN_THRESHOLD), MAX_THRESHOLD);
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (weight > 0x7fffffff) return undefined;
    }
    const count = letters.length + 1;
    bias = adapt(place - before, count, before === 0);
    point += Math.floor(place / count);
    place %= count;
    if (point > 0x10ffff || point >>> 11 === 0x1b || count > MAX_LENGTH) return undefined;
    letters.splice(place++, 0, String.fromCodePoint(point));
  }
  return letters.join('');
}

function digitOf(code: number): number | undefined {
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 26;
  return undefined;
}

function adapt(delta: number, count: number, first: boolean): number {
  let rest = Math.floor(delta / (first ? DAMP : 2));
  rest += Math.floor(rest / count);
  let steps = 0;
  for (; rest > ((BASE - MIN_THRESHOLD) * MAX_THRESHOLD) / 2; steps += BASE) {
    rest = Math.floor(rest / (BASE - MIN_THRESHOLD));
  }
  return steps + Math.floor(((BASE - MIN_THRESHOLD + 1) * rest) / (rest + SKEW));
}
