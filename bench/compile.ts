/** A real compile: g++ over a file full of templates, with the CPU that it took by its own account. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { command } from '../test/command.js';
import type { Watcher } from './memleak-watchers.js';

const GATE = fileURLToPath(new URL('../../bench/gate.c', import.meta.url));
const HEADERS = ['algorithm', 'functional', 'map', 'regex', 'string', 'unordered_map', 'variant'];
const BODY = `
int main(int argc, char **argv) {
  std::map<std::string, std::unordered_map<int, std::string>> names;
  std::variant<int, std::string> value = argc;
  std::regex pattern("(a|b)*c");
  std::function<bool(const std::string &)> fits = [&](const std::string &text) {
    return std::regex_search(text, pattern);
  };
  for (int i = 0; i < argc; i++) names[argv[i]][i] = argv[i];
  return std::count_if(argv, argv + argc, fits) + names.size() + value.index();
}
`;

/** What is compiled over and over. */
export class Compile {
  readonly #dir = mkdtempSync(join(tmpdir(), 'mem-watcher-compile-'));
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
    const account = join(this.#dir, 'account');
    const flags = ['-quiet', '-fpreprocessed', '-std=c++17', '-O1', '-o', '/dev/null'];
    const child = spawn(this.#compiler, [...flags, this.#source], {
      stdio: 'ignore',
      env: { ...process.env, LD_PRELOAD: this.#gate, GATE_ACCOUNT: account },
    });
    const closed = once(child, 'close');
    let off: (() => Promise<void>) | undefined;
    try {
      const pid = child.pid ?? 0;
      while (!isStopped(pid)) await sleep(5);
      off = await watch?.(pid);
      child.kill('SIGCONT');
      const [code] = await closed;
      if (code !== 0) throw new Error(`the compiler ended with ${code}`);
    } finally {
      child.kill('SIGKILL');
      await off?.();
    }
    return Number(readFileSync(account, 'utf8')) / 1e9;
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true });
  }
}

function isStopped(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat[stat.lastIndexOf(')') + 2] === 'T';
}
