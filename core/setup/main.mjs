/**
 * The set-up: brings a fresh Debian machine with Node, npm and root to a built agent, and does
 * nothing the second time. Plain JavaScript without dependencies: it runs before anything is there.
 *
 *   node core/setup/main.mjs [--run] [--test] [--check]
 *
 * --run also asks for what running needs (capabilities), --test for what tests need (QEMU, the
 * kernels of the matrix), and in CI also what a single test needs (podman, tracefs). --check only
 * prints the pending steps. All messages go to stderr; exit code 1 means that a person has to act.
 */
import { exclusively } from './lock.mjs';
import { describeFailure, SetupError, say, timed } from './progress.mjs';
import { steps } from './steps.mjs';

/** Debian 12's; everything but the set-up runs under the pinned Node. */
const MINIMUM_NODE = 18;

async function main(flags) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < MINIMUM_NODE) {
    throw new SetupError(
      `Node ${process.versions.node} is too old: the set-up needs ${MINIMUM_NODE} or newer`,
      'install a current Node, for instance by your distribution, and try again',
    );
  }
  const test = flags.includes('--test');
  const gate = test && Boolean(process.env.CI);
  const wanted = steps({ run: flags.includes('--run'), test, gate });
  const pending = pendingOf(wanted);
  if (flags.includes('--check')) {
    for (const step of pending) say(`pending: ${step.title} (${step.pending()})`);
    return;
  }
  if (pending.length === 0) return;
  await exclusively(async () => {
    // Another set-up may have done it while this one waited. Later steps depend on earlier ones,
    // so each is asked again when its turn comes.
    for (const step of wanted) {
      const why = step.pending();
      if (why) await timed(step.title, why, () => step.perform());
    }
    say('ready');
  });
}

/** A step that cannot tell yet, because what it asks is not there, counts as pending. */
function pendingOf(wanted) {
  return wanted.filter((step) => step.pending());
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(describeFailure(error));
  process.exitCode = 1;
}
