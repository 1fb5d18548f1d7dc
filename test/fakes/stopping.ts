/**
 * A process of its own with memleak in it, for a test that makes its disk slow: starts it, stops
 * it, and prints what happens meanwhile.
 */
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { start } from '../../plugins/memleak/live-truth.js';

const TURNS = 1000;
const say = (what: string) => writeSync(1, `${what}\n`);

/** Programs and maps that this process holds. */
function holdsBpf(): boolean {
  return readdirSync('/proc/self/fdinfo').some((fd) => {
    try {
      return /^(map|prog)_id:/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    } catch {
      return false; // The descriptor of the folder itself.
    }
  });
}

const [folder = '-'] = process.argv.slice(2);
const live = await start({
  config: { targets: [{ executable: 'no-such-program' }], state_dir: folder },
});
await live.collect();

let isClosed = false;
let turns = 0;
let isDetached = false;
function turn(): void {
  if (isClosed) return;
  if (++turns === TURNS) say('turned');
  if (!isDetached && !holdsBpf()) {
    isDetached = true;
    say('detached');
  }
  setImmediate(turn);
}
setImmediate(turn);
await live.close();
isClosed = true;
say('closed');
