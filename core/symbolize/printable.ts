/** Names go to terminals and into logs: nothing in them may steer one, and they end somewhere. */
export const printable = (text: string): string =>
  text.slice(0, MAX_NAME).replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '?');

const MAX_NAME = 4096;
