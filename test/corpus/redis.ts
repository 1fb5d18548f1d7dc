/** Debian's redis-server, from the archive and not installed: nothing of the machine is touched. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchPackages } from '../vm/packages.js';

const PACKAGES = ['redis-tools', 'libjemalloc2', 'liblzf1'];
/** The server and the checker are one program, which looks at its own name. */
const PROGRAM = 'usr/bin/redis-check-rdb';
const EVERY_MS = 20;
const COMMANDS = 15;
/** So few that all of them have all of their parts before the first windows end. */
const KEYS = 40;
const KINDS = 8;

/** The folder that it is unpacked in. Throws where there is no archive. */
export const fetchRedis = (): Promise<string> => fetchPackages('redis', PACKAGES);

export class Redis {
  readonly #dir: string;
  readonly #child: ChildProcess;
  readonly #socket: string;
  #client: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #complaint: Error | undefined;
  #sent = 0;

  private constructor(root: string, preload: string | undefined) {
    this.#dir = mkdtempSync(join(tmpdir(), 'mem-watcher-redis-'));
    this.#socket = join(this.#dir, 'socket');
    const settings = {
      port: 0,
      unixsocket: this.#socket,
      save: '',
      dir: this.#dir,
      // It remembers commands that took long, which on a busy machine come one by one.
      'slowlog-log-slower-than': -1,
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const libraries = globSync('usr/lib/*-linux-gnu', { cwd: root }).map((dir) => join(root, dir));
    this.#child = spawn(join(root, PROGRAM), args, {
      argv0: 'redis-server',
      stdio: 'ignore',
      env: {
        ...process.env,
        LD_LIBRARY_PATH: libraries.join(':'),
        ...(preload === undefined ? {} : { LD_PRELOAD: preload }),
      },
    });
  }

  /** Resolves once it answers. */
  static async start(root: string, preload?: string): Promise<Redis> {
    const redis = new Redis(root, preload);
    try {
      await redis.#connect();
      return redis;
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Commands of every kind over a fixed set of keys, some hundred a second, until it is stopped. */
  load(): void {
    this.#timer = setInterval(() => {
      const batch = Array.from({ length: COMMANDS }, () => commandOf(this.#sent++));
      this.#client?.write(batch.join(''));
    }, EVERY_MS);
  }

  /** How many commands it was given; throws if it refused one. */
  get commands(): number {
    if (this.#complaint) throw this.#complaint;
    return this.#sent;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#client?.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close');
      this.#child.kill('SIGKILL');
      await closed;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #connect(): Promise<void> {
    while (this.#child.exitCode === null) {
      try {
        const client = connect(this.#socket);
        await once(client, 'connect');
        client.on('data', (data) => {
          if (/^-/m.test(data.toString('latin1'))) this.#complaint = new Error(String(data));
        });
        client.on('error', (error) => {
          this.#complaint = error;
        });
        this.#client = client;
        return;
      } catch {
        await sleep(EVERY_MS);
      }
    }
    throw new Error(`redis-server ended with ${this.#child.exitCode}`);
  }
}

/**
 * The n-th command: strings, lists, hashes and sets of bounded size, and keys that expire. One round
 * of them is about one key, so that what one adds another takes away.
 */
function commandOf(n: number): string {
  const round = Math.floor(n / KINDS);
  const key = `key:${(round * 7919) % KEYS}`;
  const value = 'x'.repeat(20 + ((n * 104729) % 400));
  const kinds = [
    ['SET', key, value],
    ['GET', key],
    ['LPUSH', `list:${key}`, value],
    ['LTRIM', `list:${key}`, '0', '5'],
    ['HSET', `hash:${key}`, `field${round % 7}`, value],
    ['SADD', `set:${key}`, `member${round % 13}`],
    ['SPOP', `set:${key}`],
    ['SETEX', `soon:${round % 100}`, '1', value],
  ];
  const words = kinds[n % KINDS] ?? [];
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}
