/** The flame graph's script over a document that is just enough for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { fakeSnapshot } from './fake.js';
import { flameGraph } from './svg.js';
import { SCRIPT } from './svg-assets.js';

class Element {
  textContent = '';
  readonly attributes = new Map<string, string | number>();
  readonly style = { display: '' };
  readonly classes = new Set<string>();
  readonly listeners = new Map<string, (event: { key?: string }) => void>();
  readonly children = new Map<string, Element>();
  dataset: Record<string, string> = {};
  readonly classList = {
    toggle: (name: string, on: boolean) => {
      if (on) this.classes.add(name);
      else this.classes.delete(name);
    },
  };

  setAttribute(name: string, value: string | number) {
    this.attributes.set(name, value);
  }

  addEventListener(name: string, listener: (event: { key?: string }) => void) {
    this.listeners.set(name, listener);
  }

  querySelector(name: string): Element {
    const known = this.children.get(name) ?? new Element();
    this.children.set(name, known);
    return known;
  }
}

function page(svg: string) {
  const boxes = [...svg.matchAll(/<g class="(?:box|cap)[^>]*>/g)].map(([tag]) => {
    const box = new Element();
    box.dataset = Object.fromEntries(
      [...tag.matchAll(/data-([a-z])="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    );
    box.querySelector('title').textContent = `about ${box.dataset.n}`;
    return box;
  });
  const note = new Element();
  note.textContent = 'rest';
  const root = new Element();
  const document = {
    getElementById: () => note,
    querySelectorAll: () => boxes,
    addEventListener: root.addEventListener.bind(root),
  };
  runInNewContext(SCRIPT, { document });
  const find = (name: string) =>
    boxes.find(({ dataset }) => dataset.n === name) ?? assert.fail(name);
  return { boxes, note, find, press: (key: string) => root.listeners.get('keydown')?.({ key }) };
}

test('a click gives a box the whole width, hides what is beside it, and Escape goes back', () => {
  const { boxes, note, find, press } = page(flameGraph(fakeSnapshot()));
  const visible = () => boxes.filter(({ style }) => style.display !== 'none').length;
  const narrow = find(
    '<alloc::raw_vec::RawVec<u8>>::grow_one'.replace(/</g, '&lt;').replace(/>/g, '&gt;'),
  );
  narrow.listeners.get('click')?.({});
  assert.equal(narrow.querySelector('rect').attributes.get('width'), 1168 - 0.6);
  assert.equal(find('operator new(unsigned long)').style.display, 'none');
  assert.ok(find('start_thread').classes.has('faint'), 'what it stands on stays, paler');
  assert.ok(visible() < boxes.length);
  press('Escape');
  assert.equal(visible(), boxes.length);
  assert.ok(!find('start_thread').classes.has('faint'));
  narrow.listeners.get('mouseenter')?.({});
  assert.match(note.textContent, /^about .*grow_one$/);
  narrow.listeners.get('mouseleave')?.({});
  assert.equal(note.textContent, 'rest');
});
