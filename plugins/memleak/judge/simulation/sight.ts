import type { Random } from './random.js';

/** What a watcher misses: shares, by how much of the run is over (0 to 1). */
export interface Sight {
  allocations(progress: number): number;
  frees(progress: number): number;
}

const nothing = () => 0;

export const FULL_SIGHT: Sight = { allocations: nothing, frees: nothing };

/** Kinds of poor sight. */
export const SIGHTS: Readonly<Record<string, (random: Random) => Sight>> = {
  'most allocations missed': (random) => {
    const share = random.between(0.55, 0.97);
    return { allocations: () => share, frees: nothing };
  },
  // A table that is full from then on.
  'most allocations missed later on': (random) => {
    const [from, share] = [random.between(0.1, 0.8), random.between(0.8, 1)];
    return { allocations: (progress) => (progress >= from ? share : 0), frees: nothing };
  },
  'most allocations missed at first': (random) => {
    const [to, share] = [random.between(0.1, 0.8), random.between(0.6, 0.99)];
    return { allocations: (progress) => (progress < to ? share : 0), frees: nothing };
  },
  // What is recorded seems to grow while nothing does.
  'ever fewer allocations missed': (random) => {
    const share = random.between(0.8, 1);
    return { allocations: (progress) => share * (1 - progress), frees: nothing };
  },
  'frees missed': (random) => {
    const share = random.scale(0.001, 0.9);
    return { allocations: nothing, frees: () => share };
  },
  'both missed': (random) => {
    const [allocations, frees] = [random.between(0.3, 0.9), random.scale(0.001, 0.5)];
    return { allocations: () => allocations, frees: () => frees };
  },
};
