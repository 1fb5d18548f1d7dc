import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C_FRAMES, fakeSnapshot, fakeStack, HOSTILE_NAME } from './fake.js';
import { STATE_COLOR } from './flame-colors.js';
import { layOut } from './flame-layout.js';
import { flameTree } from './flame-tree.js';
import { flameGraph } from './svg.js';

/** Elements in order; throws for what is not well-formed. */
function elements(svg: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const markup = svg.replace(/<\?xml[^?]*\?>/, '').replace(/<!\[CDATA\[[\s\S]*?\]\]>/g, '');
  const tag = /<(\/?)([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<]*")*)(\/?)>|<|&(?!(?:amp|lt|gt|quot|#39);)/g;
  for (const [whole, end, name, , alone] of markup.matchAll(tag)) {
    assert.ok(name, `not well-formed at ${whole}`);
    if (end) assert.equal(open.pop(), name);
    else names.push(name);
    if (!end && !alone) open.push(name);
  }
  assert.deepEqual(open, []);
  return names;
}

test('well-formed, one script, a title on every box, whatever the names hold', () => {
  const svg = flameGraph(fakeSnapshot());
  const names = elements(svg);
  const count = (name: string) => names.filter((one) => one === name).length;
  assert.equal(count('script'), 1);
  assert.equal(count('title'), 1 + (svg.match(/tabindex="0"/g)?.length ?? 0));
  assert.ok(!svg.includes(HOSTILE_NAME));
  assert.doesNotMatch(
    svg,
    /https?:\/\/(?!www\.w3\.org\/2000\/svg)/,
    'it needs nothing from elsewhere',
  );
  assert.doesNotMatch(svg, /<[^>]*\son[a-z]+=/, 'no handlers in the markup');
  for (const color of Object.values(STATE_COLOR)) assert.ok(svg.includes(color), color);
});

test('the same snapshot gives the same bytes, in any order of its stacks', () => {
  const snapshot = fakeSnapshot();
  const reversed = { ...snapshot, stacks: snapshot.stacks.toReversed() };
  assert.equal(flameGraph(snapshot), flameGraph(reversed));
});

test('boxes lie in their parents, and their widths are bytes', () => {
  const tree = flameTree(fakeSnapshot());
  const { boxes } = layOut(tree, 0);
  const bytes = boxes.filter(({ stack }) => stack).reduce((sum, { width }) => sum + width, 0);
  assert.ok(Math.abs(bytes - 1) < 1e-9, 'stacks are all of the width');
  for (const { level, left, width } of boxes) {
    const under = boxes.some(
      (box) =>
        box.level === level - 1 &&
        box.left <= left + 1e-9 &&
        box.left + box.width >= left + width - 1e-9,
    );
    assert.ok(level === 0 || under);
  }
  const few = layOut(tree, 0.5);
  assert.ok(few.hidden > 0 && few.boxes.length + few.hidden <= boxes.length);
});

test('a very deep and a very narrow stack are drawn or counted', () => {
  const [frame] = C_FRAMES;
  assert.ok(frame);
  const deep = fakeStack({
    id: 'deep',
    frames: Array.from({ length: 500 }, (_, n) => ({ ...frame, function: `f${n}` })),
    bytes: 1e9,
    allocations: 1,
  });
  const thin = fakeStack({ id: 'thin', frames: C_FRAMES, bytes: 1, allocations: 1 });
  const svg = flameGraph(fakeSnapshot({ stacks: [deep, thin] }));
  elements(svg);
  assert.ok(svg.includes('>f499<'));
  assert.ok(svg.includes('>1 box is too narrow to be drawn. '));
});
