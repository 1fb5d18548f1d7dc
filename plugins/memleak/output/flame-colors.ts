/** Colours of a flame graph: by what is held against the stacks, and a little by name. */
import { STATES, type State } from '../model.js';
import type { FlameNode } from './flame-tree.js';

interface Hsl {
  readonly hue: number;
  readonly saturation: number;
  readonly lightness: number;
}

const FRAME: Readonly<Record<State, Hsl>> = {
  confirmed: { hue: 6, saturation: 82, lightness: 68 },
  suspected: { hue: 36, saturation: 92, lightness: 66 },
  watching: { hue: 213, saturation: 34, lightness: 78 },
  resolved: { hue: 150, saturation: 38, lightness: 70 },
};

/** Of the boxes that say the state itself. White text reads on each. */
export const STATE_COLOR: Readonly<Record<State, string>> = {
  confirmed: '#b3261e',
  suspected: '#9a5b00',
  watching: '#4d6480',
  resolved: '#2c6e49',
};

const RANK: readonly State[] = ['confirmed', 'suspected', 'resolved', 'watching'];
/** However little of a frame's bytes leak, the way to the leak is seen. */
const LEAST_SHARE = 0.35;
/** Lightness differs by name by so many percent at most. */
const SPREAD = 8;

/** The gravest state of the stacks through here. */
export const gravest = ({ byState }: FlameNode): State =>
  RANK.find((state) => byState.has(state)) ?? STATES[0];

/** The gravest state's colour, the paler the less of the bytes it has. The same in every run. */
export function frameColor(node: FlameNode): string {
  const state = gravest(node);
  const part = (node.byState.get(state) ?? 0) / Math.max(1, node.bytes);
  const share = LEAST_SHARE + (1 - LEAST_SHARE) * part;
  const { hue, saturation, lightness } = FRAME[state];
  const light = lightness + (1 - share) * (90 - lightness) + spread(node.name);
  return hex({ hue, saturation: saturation * (0.5 + share / 2), lightness: Math.min(92, light) });
}

/** FNV-1a of the name, as a shift of lightness. */
function spread(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
  }
  return ((hash % 1000) / 1000 - 0.5) * SPREAD;
}

/** sRGB, for not every viewer knows hsl(). */
function hex({ hue, saturation, lightness }: Hsl): string {
  const [s, l] = [saturation / 100, lightness / 100];
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    const value = l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
