import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './log.js';

test('what an endpoint answers cannot move the cursor of the terminal that shows the log', () => {
  for (const format of ['text', 'json'] as const) {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', format, write: (line) => lines.push(line) });
    logger.warn({ error: 'HTTP 500: \x1b[2J' }, 'export is failing: \x1b]0;owned\x07');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    assert.match(lines.join(''), /^[^\x00-\x1f]+\n$/);
    assert.match(lines.join(''), /owned/);
  }
});
