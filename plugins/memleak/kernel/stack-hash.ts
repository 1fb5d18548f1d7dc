const START = 0xcbf2_9ce4_8422_2325n;
const PRIME = 0x100_0000_01b3n;

/** The hash that `walk` in stacks.h gives a stack: of all its places for frames, unused ones are 0. */
export function hashOfFrames(frames: readonly bigint[]): bigint {
  let hash = START;
  for (const frame of frames) {
    hash = BigInt.asUintN(64, (hash ^ frame) * PRIME);
    hash ^= hash >> 29n;
  }
  return hash;
}
