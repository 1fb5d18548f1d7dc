import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { README_SECTIONS } from '../../core/gen/readme.js';
import { plugins, root } from './harness.js';

/** What a reader asks, and a heading that answers. */
const QUESTIONS: Readonly<Record<string, RegExp>> = {
  'what it sees': /^#+ .*\bsees?\b/im,
  'which hooks': /^#+ .*\b(hooks?|how it sees)\b/im,
  'what it emits': /^#+ .*\bemits?\b/im,
  'what it costs': /^#+ .*\bcosts?\b/im,
  'how to read it': /^#+ .*\bread(ing)?\b/im,
};

for (const { metadata } of plugins) {
  describe(`${metadata.name}: its README`, () => {
    const file = join(root, 'plugins', metadata.name, 'README.md');
    const text = () => {
      assert.ok(existsSync(file), `${file} is missing`);
      return readFileSync(file, 'utf8');
    };

    for (const [question, heading] of Object.entries(QUESTIONS)) {
      test(`says ${question}`, () => {
        const section = text()
          .split(/^(?=#+ )/m)
          .find((part) => heading.test(part.split('\n', 1)[0] ?? ''));
        assert.ok(section, 'no heading');
        assert.match(section.slice(section.indexOf('\n')), /\S/, 'a heading with nothing below');
      });
    }

    test('has the generated tables, and no marker that nobody fills', () => {
      const markers = [...text().matchAll(/<!-- generated:([a-z]+) -->/g)].map(
        ([, name = '']) => name,
      );
      for (const name of ['metrics', 'config', 'strategies'])
        assert.ok(markers.includes(name), name);
      for (const name of markers) assert.ok(README_SECTIONS.includes(name), name);
    });
  });
}

/** From a private cgroup namespace the agent cannot name the cgroups of others. */
test('every documented container of the agent has the cgroup namespace of the host', () => {
  const documents = ['README.md', 'Dockerfile', ...markdownOf('docs'), ...markdownOf('plugins')];
  const runs = documents.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => /\b(podman|docker|nerdctl) run\b.*--(privileged|cap-add)/.test(line))
      .map((line) => `${file}: ${line}`),
  );
  assert.ok(runs.length >= 2, 'no documented run was found');
  for (const run of runs) assert.match(run, /--cgroupns=host/);
});

const markdownOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file));
