import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fit, harmless, pad, textWidth, wrapText } from './text.js';

test('control characters and marks that turn text around become visible', () => {
  assert.equal(harmless('\x1b]0;owned\x07'), '\\x1b]0;owned\\x07');
  assert.equal(harmless('a\nb\rc\td'), 'a\\nb\\rc\\td');
  assert.equal(harmless('\u009b2J\u007f'), '\\x9b2J\\x7f');
  assert.equal(harmless('ab\u202efdp.exe'), 'ab\\u202efdp.exe');
  assert.equal(harmless('日本 é 🚀'), '日本 é 🚀');
});

test('no character of harmless text controls a terminal', () => {
  let every = '';
  for (let code = 0; code < 0x3000; code++) every += String.fromCharCode(code);
  assert.doesNotMatch(harmless(every), /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u);
});

test('wide characters take two columns, combining marks none', () => {
  assert.equal(textWidth('abc'), 3);
  assert.equal(textWidth('日本'), 4);
  assert.equal(textWidth('e\u0301'), 1);
  assert.equal(textWidth('🚀'), 2);
});

test('text is cut to its columns, never through a wide character', () => {
  assert.equal(fit('abcdef', 4), 'abc…');
  assert.equal(fit('abcd', 4), 'abcd');
  assert.equal(fit('日本語', 4), '日…');
  assert.equal(fit('abc', 0), '');
  for (let width = 1; width < 8; width++) {
    assert.ok(textWidth(fit('a日b本c', width)) <= width);
    assert.equal(textWidth(pad('a日b本c', width, 'right')), Math.max(width, 0));
  }
});

test('prose is broken at spaces', () => {
  assert.deepEqual(wrapText('one two three', 7), ['one two', 'three']);
  assert.deepEqual(wrapText('unbreakable', 4), ['unbreakable']);
  assert.deepEqual(wrapText('', 4), ['']);
});
