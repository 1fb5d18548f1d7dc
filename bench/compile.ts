/** A real compile: g++ over a file full of templates, with the CPU that it took by its own account. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { command } from '../test/command.js';
import { atExit } from './at-exit.js';
import type { Watcher } from './memleak-watchers.js';

const GATE = fileURLToPath(new URL('../../bench/gate.c', import.meta.url));
/** As much as takes half a second: with the dearest watcher it takes twenty times as long. */
const HEADERS = ['algorithm', 'functional', 'map', 'string', 'vector'];
const BODY = `
int main(int argc, char **argv) {
  std::map<std::string, std::vector<std::string>> names;
  std::function<bool(const std::string &)> fits = [&](const std::string &text) {
    return names.count(text) > 1;
  };
  for (int i = 0; i < argc; i++) names[argv[i]].push_back(argv[i]);
  return std::count_if(argv, argv + argc, fits) + names.size();
}
`;

/** What is compiled over and over. */
export class Compile {
  readonly #dir = mkdtempSync(join(tmpdir(), 'mem-watcher-compile-'));
  readonly #remove = atExit(() => rmSync(this.#dir, { recursive: true }));
  readonly #account = join(this.#dir, 'account');
  readonly #gate = join(this.#dir, 'gate.so');
  /** Preprocessed, and the compiler proper: one process does all of the work. */
  readonly #source = join(this.#dir, 'templates.ii');
  readonly #compiler: string;

  constructor() {
    const text = join(this.#dir, 'templates.cpp');
    writeFileSync(text, HEADERS.map((name) => `#include <${name}>\n`).join('') + BODY);
    command('cc', ['-O2', '-fPIC', '-shared', '-o', this.#gate, GATE]);
    command('g++', ['-std=c++17', '-E', text, '-o', this.#source]);
    this.#compiler = command('g++', ['-print-prog-name=cc1plus']).trim();
  }

  /** Seconds of CPU of one compile, all of it watched. */
  async run(watch?: Watcher): Promise<number> {
    rmSync(this.#account, { force: true });
    const flags = ['-quiet', '-fpreprocessed', '-std=c++17', '-O1', '-o', '/dev/null'];
    const child = spawn(this.#compiler, [...flags, this.#source], {
      stdio: 'ignore',
      env: { ...process.env, LD_PRELOAD: this.#gate, GATE_ACCOUNT: this.#account },
    });
    const kill = atExit(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    let off: (() => Promise<void>) | undefined;
    try {
      await untilStopped(child);
      off = await watch?.(child.pid ?? 0);
      child.kill('SIGCONT');
      const [code, signal] = await closed;
      if (code !== 0) throw new Error(`the compiler ended with ${code ?? signal}`);
    } finally {
      kill();
      await closed.catch(() => undefined);
      await off?.();
    }
    return Number(readFileSync(this.#account, 'utf8')) / 1e9;
  }

  remove(): void {
    this.#remove();
  }
}

async function untilStopped(child: ChildProcess): Promise<void> {
  while (!isStopped(child.pid ?? 0)) {
    const end = child.exitCode ?? child.signalCode;
    if (end !== null) throw new Error(`the compiler ended with ${end} before its first line`);
    await sleep(5);
  }
}

function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] === 'T';
  } catch {
    return false;
  }
}
