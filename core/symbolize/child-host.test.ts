/** A child that hangs, dies, or talks nonsense, played by scripts. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { workshop } from '../../test/fakes/compiled.js';
import { ChildHost, NoAnswer, type NoAnswerCode } from './child-host.js';
import { PROTOCOL_EXIT } from './wire.js';

const folder = workshop(after);
const WIRE = new URL('./wire.js', import.meta.url).href;

/** What plays the child: `next()` waits for a question, `say()` speaks. */
function script(name: string, body: string): string {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `import { readSync, writeSync } from 'node:fs';
    const { Decoder, encode } = await import('${WIRE}');
    const decoder = new Decoder(1 << 20);
    const piece = Buffer.alloc(1 << 16);
    const say = (statement) => writeSync(1, encode(statement));
    const next = () => {
      for (;;) {
        const length = readSync(0, piece);
        if (length === 0) process.exit(0);
        const [message] = decoder.feed(Buffer.from(piece.subarray(0, length)));
        if (message !== undefined) return JSON.parse(message);
      }
    };
    const answer = (more) => ({ kind: 'found', frames: [[{ inlined: false, name: 'f' }]], tired: false, ...more });
    const ready = () => say({ kind: 'ready', status: 'CapEff: 0' });
    ${body}`,
  );
  return file;
}

const QUESTION = { kind: 'look', file: 1, fresh: false, addresses: ['1'] } as const;
const ask = (host: ChildHost) => host.run((child) => child.ask(QUESTION, undefined, () => []));

function started(context: { after(end: () => void): void }, file: string, options = {}) {
  const host = new ChildHost({ script: file, questionMs: 5000, ...options });
  context.after(() => host.close());
  return host;
}

const failure = (code: NoAnswerCode, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof NoAnswer, String(error));
  assert.deepEqual([error.code, pattern.test(error.message)], [code, true], error.message);
  return true;
};

describe('a child', () => {
  it('that answers is asked again', async (context) => {
    const host = started(context, script('good', 'ready(); for (;;) { next(); say(answer()); }'));
    assert.equal((await ask(host)).frames[0]?.[0]?.name, 'f');
    const { pid } = host;
    assert.ok(pid !== undefined);
    await Promise.all([ask(host), ask(host)]);
    assert.equal(host.pid, pid);
    assert.equal(host.restarts, 0);
  });

  it('that hangs is killed, and counted', async (context) => {
    const host = started(context, script('hang', 'ready(); next(); for (;;);'), {
      questionMs: 300,
    });
    await assert.rejects(ask(host), failure('TIMED_OUT', /longer than 0\.3 s/));
    assert.equal(host.pid, undefined);
    assert.equal(host.restarts, 1);
  });

  it('that died rests before the next is started', async (context) => {
    const host = started(context, script('die', 'ready(); next(); process.abort();'));
    await assert.rejects(ask(host), failure('CRASHED', /SIGABRT|SIGSEGV|134/));
    await assert.rejects(ask(host), failure('PAUSED', /about to be started again/));
    assert.equal(host.restarts, 1);
  });

  const NONSENSE = {
    'no JSON': 'writeSync(1, Buffer.from([3, 0, 0, 0, 0x61, 0x62, 0x63]));',
    'a length beyond all bounds': 'writeSync(1, Buffer.alloc(64, 0xff));',
    'another kind': "say({ kind: 'ready', status: '' });",
    'fewer answers than questions': 'say(answer({ frames: [] }));',
    'frames that are none': "say(answer({ frames: [[{ inlined: 'no' }]] }));",
    'a name without end':
      "say(answer({ frames: [[{ inlined: false, name: 'x'.repeat(1 << 17) }]] }));",
    'a want that climbs out of the folder':
      "say({ kind: 'want', buildId: '../../etc', link: '', shared: false });",
  };
  for (const [what, speak] of Object.entries(NONSENSE)) {
    it(`that says ${what} is ended`, async (context) => {
      const host = started(
        context,
        script(what.replaceAll(' ', '-'), `ready(); next(); ${speak} next();`),
      );
      await assert.rejects(ask(host), failure('PROTOCOL', /do not understand each other/));
      assert.equal(host.pid, undefined);
    });
  }

  it('that does not understand the agent says so', async (context) => {
    const host = started(
      context,
      script('deaf', `ready(); next(); process.exit(${PROTOCOL_EXIT});`),
    );
    await assert.rejects(ask(host), failure('PROTOCOL', /ended with 3/));
  });

  it('that wants a debug file where the agent fails to look for one is not to blame', async (context) => {
    const want = "say({ kind: 'want', buildId: '', link: '', shared: false }); next();";
    const file = script('want', `ready(); for (;;) { next(); ${want} say(answer()); }`);
    const host = started(context, file);
    const fails = () => {
      throw new Error('EMFILE: too many open files');
    };
    const asked = host.run((child) => child.ask(QUESTION, undefined, fails));
    await assert.rejects(asked, failure('INTERNAL', /look for debug files: EMFILE/));
  });

  it('that cannot give up its rights says why', async (context) => {
    const file = script('refuse', "throw new Error('rights are left: CapEff');");
    await assert.rejects(
      ask(started(context, file)),
      failure('NOT_STARTED', /does not start: .*CapEff/),
    );
  });

  it('that is tired is replaced, which is no failure', async (context) => {
    const host = started(
      context,
      script('tired', 'ready(); for (;;) { next(); say(answer({ tired: true })); }'),
    );
    await ask(host);
    assert.equal(host.pid, undefined);
    await ask(host);
    assert.equal(host.restarts, 0);
  });

  it('that is idle ends', async (context) => {
    const file = script('idle', 'ready(); for (;;) { next(); say(answer()); }');
    const host = started(context, file, { idleMs: 20 });
    await ask(host);
    while (host.pid !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(host.restarts, 0);
  });

  it('is asked no more once closed', async (context) => {
    const host = started(context, script('closed', 'ready(); next(); for (;;);'));
    const asked = ask(host);
    while (host.status === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    host.close();
    await assert.rejects(asked, NoAnswer);
    await assert.rejects(ask(host), failure('CLOSED', /closed/));
    assert.equal(host.restarts, 0);
  });
});
