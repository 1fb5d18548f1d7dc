import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const countProcesses = (): number => readdirSync('/proc').filter((n) => /^\d+$/.test(n)).length;

/** Fills the host up to `total` processes that sleep; gives what ends them. */
export async function crowd(total: number): Promise<() => void> {
  const more = Math.max(0, total - countProcesses());
  // Its input ends with this process, however that ends, and the crowd with its input.
  const script = `i=0; while [ $i -lt ${more} ]; do sleep 86400 & i=$((i+1)); done; read _; kill 0`;
  const shell = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const deadline = Date.now() + 60_000;
  while (countProcesses() < total) {
    if (Date.now() > deadline) throw new Error(`only ${countProcesses()} processes could be made`);
    await sleep(100);
  }
  return () => {
    // The group that was made for it, and nothing else; it is empty if the host was full already.
    try {
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL');
    } catch {
      // gone
    }
  };
}
