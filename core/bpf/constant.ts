import { MemWatcherError } from '../errors.js';
import { type BtfType, INT_SIGNED } from './btf.js';

/** Writes a `const volatile` at the start of `bytes`. LAYOUT_INVALID if it does not fit its type. */
export function writeConstant(
  bytes: Uint8Array,
  name: string,
  type: BtfType,
  value: number | bigint | boolean,
): void {
  if (type.kind !== 'int' && type.kind !== 'enum') {
    throw new MemWatcherError('LAYOUT_INVALID', `the constant ${name} is no integer`);
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new MemWatcherError('LAYOUT_INVALID', `${value} is no integer: constant ${name}`);
  }
  const signed = type.kind === 'enum' ? type.signed : (type.encoding & INT_SIGNED) !== 0;
  const wide = BigInt(value);
  const bits = type.size * 8;
  if ((signed ? BigInt.asIntN(bits, wide) : BigInt.asUintN(bits, wide)) !== wide) {
    const kind = `${signed ? 'signed' : 'unsigned'} integer of ${type.size} bytes`;
    throw new MemWatcherError('LAYOUT_INVALID', `${value} does not fit ${name}, a ${kind}`);
  }
  for (let index = 0; index < type.size; index++) {
    bytes[index] = Number((wide >> BigInt(8 * index)) & 0xffn);
  }
}
