/** Numbers as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1.5 GiB`; the plain number if `plain`; `-` for what the kernel does not say. */
export function formatBytes(bytes: number | undefined, plain = false): string {
  if (bytes === undefined) return '-';
  if (plain) return String(bytes);
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/**
 * `12,345`, `1,234.5`; `-` for what the kernel does not say. Without Intl, which makes an agent that
 * runs for months 6 MB larger once it is used.
 */
export function formatCount(count: number | undefined): string {
  if (count === undefined) return '-';
  const [whole = '', fraction] = String(Math.round(count * 1000) / 1000).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** Milliseconds → `1.2 ms`, `3.4 s`. */
export const formatElapsed = (ms: number) =>
  ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
