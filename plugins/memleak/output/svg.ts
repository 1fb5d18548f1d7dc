/**
 * A flame graph in one SVG file: outermost frames at the bottom, width for outstanding bytes, and on
 * top of each stack what is held of it. A click zooms where a browser runs its script; every box has
 * a title. Names are data: escaped, and never markup.
 */
import { harmless } from '../../../core/cli/text.js';
import type { LeakSnapshot, State } from '../model.js';
import { frameColor, gravest, STATE_COLOR } from './flame-colors.js';
import { type Box, layOut } from './flame-layout.js';
import { flameTree } from './flame-tree.js';
import { SCRIPT, STYLE } from './svg-assets.js';
import { boxLabel, boxTitle, headings } from './svg-text.js';

export const WIDTH = 1200;
const MARGIN = 16;
const ROW = 19;
const HEAD = 96;
const FOOT = 40;
const INNER = WIDTH - 2 * MARGIN;
/** Pixels below which a box is not drawn. */
const LEAST = 0.4;
/** Of a character of the font in use. */
const CHAR = 6.65;
const STATES_SHOWN: readonly State[] = ['confirmed', 'suspected', 'watching', 'resolved'];

export function flameGraph(snapshot: LeakSnapshot): string {
  const tree = flameTree(snapshot);
  const { boxes, levels, hidden } = layOut(tree, LEAST / INNER);
  const drawn = tree.bytes > 0 ? boxes : [];
  const height = HEAD + Math.max(3, levels) * ROW + FOOT;
  const base = height - FOOT - ROW;
  const { title, subtitle } = headings(snapshot, tree);
  const less = narrow(hidden);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="heading about">`,
    `<title id="heading">${escaped(title)}</title>`,
    `<desc id="about">${escaped(subtitle)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="100%" height="100%" fill="#fcfcfb"/>`,
    text(MARGIN, 30, title, 'class="h1"'),
    text(MARGIN, 52, subtitle, 'class="sub"'),
    ...legend(snapshot),
    ...(drawn.length === 0
      ? [text(MARGIN, HEAD + ROW, 'Nothing is outstanding.', 'class="sub"')]
      : []),
    '<g id="flames">',
    ...drawn.map((box) => boxMarkup(box, base, tree.bytes)),
    '</g>',
    text(MARGIN, height - 14, `${less}Width: outstanding bytes.`, 'class="foot" id="note"'),
    `<script>/*<![CDATA[*/${SCRIPT}/*]]>*/</script>`,
    '</svg>',
    '',
  ].join('\n');
}

const narrow = (hidden: number) => {
  if (hidden === 0) return '';
  return `${hidden === 1 ? '1 box is' : `${hidden} boxes are`} too narrow to be drawn. `;
};

function boxMarkup(box: Box, base: number, whole: number): string {
  const { left, width, level, node, stack } = box;
  const [x, w] = [MARGIN + left * INNER, width * INNER];
  const y = base - level * ROW;
  const label = boxLabel(box);
  const fill = stack ? STATE_COLOR[stack.judgement.state] : frameColor(node);
  const kind = [stack ? 'cap' : 'box', ...(node.frame?.inlined && !stack ? ['inl'] : [])].join(' ');
  const state = stack?.judgement.state ?? gravest(node);
  const shown = fitted(label, w);
  return [
    `<g class="${kind}" tabindex="0" data-l="${left.toFixed(6)}" data-w="${width.toFixed(6)}" data-d="${level}" data-s="${state}" data-n="${escaped(label)}">`,
    `<title>${escaped(boxTitle(box, whole))}</title>`,
    `<rect x="${round(x)}" y="${y}" width="${round(Math.max(w - 0.6, LEAST))}" height="${ROW - 1}" rx="2" fill="${fill}"/>`,
    text(x + 4, y + 13, shown),
    '</g>',
  ].join('');
}

/** What each colour means, and how many bytes it has. */
function legend({ stacks }: LeakSnapshot): string[] {
  let x = MARGIN;
  return STATES_SHOWN.flatMap((state) => {
    const count = stacks.filter(({ judgement }) => judgement.state === state).length;
    const words = `${state}: ${count} ${count === 1 ? 'stack' : 'stacks'}`;
    const at = x;
    x += 34 + words.length * CHAR;
    return [
      `<rect x="${round(at)}" y="66" width="12" height="12" rx="2" fill="${STATE_COLOR[state]}"/>`,
      text(at + 18, 76, words, 'class="leg"'),
    ];
  });
}

const text = (x: number, y: number, words: string, attributes = '') =>
  `<text x="${round(x)}" y="${y}"${attributes && ` ${attributes}`}>${escaped(words)}</text>`;

function fitted(label: string, width: number): string {
  const room = Math.floor((width - 6) / CHAR);
  if (room < 3) return '';
  return label.length <= room ? label : `${label.slice(0, room - 1)}…`;
}

const round = (value: number) => Number(value.toFixed(2));

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** As text and inside quotes. What XML cannot hold at all becomes visible first. */
export const escaped = (words: string): string =>
  words
    .split('\n')
    .map((line) => harmless(line).toWellFormed())
    .join('\n')
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
