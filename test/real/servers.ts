/** Servers and runtimes that nobody here wrote, from Debian's archive and not installed, each under load. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../vm/initramfs.js';
import { fetchPackages } from '../vm/packages.js';

const PACKAGES = [
  ...['redis-tools', 'libjemalloc2', 'liblzf1'],
  ...['memcached', 'libevent-2.1-7'],
  ...['nginx'],
  ...['mariadb-server-core', 'mariadb-client-core', 'libmariadb3', 'liburing2', 'libpmem1'],
  ...['libdaxctl1', 'libndctl6', 'libnuma1', 'libreadline8', 'libedit2', 'libbsd0'],
  ...['postgresql-15', 'postgresql-client-15', 'libpq5', 'libxml2', 'libicu72', 'libldap-2.5-0'],
  ...['libsasl2-2', 'libgssapi-krb5-2', 'libkrb5-3', 'libk5crypto3', 'libkrb5support0'],
  ...[
    'libkeyutils1',
    'libcom-err2',
    'liblz4-1',
    'libzstd1',
    'libsystemd0',
    'libncurses6',
    'libtinfo6',
  ],
];
const SOURCES = join(ROOT, 'test/real');
const NOBODY = 65_534;
const EVERY_MS = 20;
/** Requests each time. */
const BATCH = 10;
const PATIENCE_MS = 30_000;

/** The folder that they are unpacked in. Throws where there is no archive. */
export const fetchServers = (): Promise<string> => fetchPackages('real', PACKAGES);

/** How a server is started, and made to work. */
export interface Kind {
  readonly name: string;
  /** Why it cannot run here; undefined if it can. */
  readonly lack?: () => string | undefined;
  start(place: Place): Promise<Running>;
}

interface Running {
  readonly pid: number;
  /** Some work. */
  work?(): void;
}

/** Where one server lives: its folder, what it preloads, and all that ends with it. */
export class Place {
  readonly dir = mkdtempSync(join(tmpdir(), 'mem-watcher-real-'));
  readonly #children: ChildProcess[] = [];
  readonly #sockets: Socket[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly root: string,
    private readonly preload: string | undefined,
  ) {
    chmodSync(this.dir, 0o755);
  }

  /** Of the archive's files. */
  at(path: string): string {
    return join(this.root, path);
  }

  /** `isServer`: it is the one that is watched, and has the leak if there is one. */
  spawn(
    command: string,
    args: readonly string[],
    { isServer = true, ...options }: SpawnOptions & { isServer?: boolean } = {},
  ): ChildProcess {
    const child = spawn(command, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: this.dir,
      ...options,
      env: { ...this.environment, ...(isServer && this.preload && { LD_PRELOAD: this.preload }) },
    });
    child.stdin?.on('error', () => undefined);
    this.#children.push(child);
    return child;
  }

  run(command: string, args: readonly string[], options: SpawnOptions = {}): void {
    const made = spawnSync(command, args, {
      cwd: this.dir,
      ...options,
      encoding: 'utf8',
      env: this.environment,
    });
    if (made.status !== 0) throw new Error(`${command}: ${made.error ?? made.stderr}`);
  }

  get environment(): NodeJS.ProcessEnv {
    const libraries = globSync('{usr/,}lib/*-linux-gnu', { cwd: this.root });
    const path = libraries.map((dir) => join(this.root, dir)).join(':');
    const own = join(this.dir, 'usr/lib/x86_64-linux-gnu');
    return { ...process.env, LD_LIBRARY_PATH: `${own}:${path}` };
  }

  /** Once it listens. */
  async connect(to: string | { readonly port: number }): Promise<Socket> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const socket = typeof to === 'string' ? connect(to) : connect(to.port, '127.0.0.1');
      try {
        await once(socket, 'connect');
        socket.on('error', () => undefined).resume();
        this.#sockets.push(socket);
        return socket;
      } catch (error) {
        socket.destroy();
        if (performance.now() > until) throw error;
        await sleep(EVERY_MS);
      }
    }
  }

  keepWorking(work: () => void): void {
    this.#timer = setInterval(work, EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const pidOf = (child: ChildProcess): number => child.pid ?? 0;
const times = (count: number, text: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => text(n)).join('');

/** Fills: a key that was never there at each request. */
const redis: Kind = {
  name: 'redis that fills',
  async start(place) {
    const socket = join(place.dir, 'socket');
    const settings = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', place.dir];
    const server = place.spawn(place.at('usr/bin/redis-check-rdb'), settings, {
      argv0: 'redis-server',
    });
    const client = await place.connect(socket);
    let key = 0;
    const set = () => `SET key:${key++} ${'x'.repeat(100 + (key % 200))}\r\n`;
    return { pid: pidOf(server), work: () => client.write(times(BATCH, set)) };
  },
};

const memcached: Kind = {
  name: 'memcached that fills',
  async start(place) {
    const socket = join(place.dir, 'socket');
    const server = place.spawn(place.at('usr/bin/memcached'), [
      '-s',
      socket,
      '-m',
      '256',
      '-u',
      'root',
    ]);
    const client = await place.connect(socket);
    let key = 0;
    const set = () => {
      const value = 'x'.repeat(100 + (key % 400));
      return `set key:${key++} 0 0 ${value.length}\r\n${value}\r\n`;
    };
    return { pid: pidOf(server), work: () => client.write(times(BATCH, set)) };
  },
};

const nginx: Kind = {
  name: 'nginx',
  async start(place) {
    writeFileSync(join(place.dir, 'index.html'), 'x'.repeat(3000));
    const file = join(place.dir, 'nginx.conf');
    const socket = join(place.dir, 'socket');
    writeFileSync(
      file,
      `daemon off; master_process off; error_log stderr; pid ${place.dir}/pid;
      events {} http { access_log off; client_body_temp_path ${place.dir}/body;
      proxy_temp_path ${place.dir}/proxy; fastcgi_temp_path ${place.dir}/fastcgi;
      uwsgi_temp_path ${place.dir}/uwsgi; scgi_temp_path ${place.dir}/scgi;
      server { listen unix:${socket}; root ${place.dir}; keepalive_requests 1000000; } }`,
    );
    const args = ['-c', file, '-p', place.dir, '-e', 'stderr'];
    const server = place.spawn(place.at('usr/sbin/nginx'), args);
    const client = await place.connect(socket);
    const get = () => 'GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n';
    return { pid: pidOf(server), work: () => client.write(times(BATCH, get)) };
  },
};

/** A table that grows, queries over it, and work that is undone. */
const SQL = (n: number): string =>
  `INSERT INTO t VALUES (${n}, '${'x'.repeat(50 + (n % 150))}'); SELECT count(*) FROM t WHERE a > ${n % 1000};\n`;

const mariadb: Kind = {
  name: 'a fresh MariaDB',
  async start(place) {
    const data = join(place.dir, 'data');
    const socket = join(place.dir, 'socket');
    const basic = [
      '--no-defaults',
      `--basedir=${place.at('usr')}`,
      `--datadir=${data}`,
      '--user=root',
    ];
    const messages = `--lc-messages-dir=${place.at('usr/share/mysql')}`;
    place.run('sh', [
      place.at('usr/bin/mariadb-install-db'),
      ...basic,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ]);
    const server = place.spawn(place.at('usr/sbin/mariadbd'), [
      ...[...basic, messages, `--socket=${socket}`, '--skip-networking'],
      `--plugin-dir=${place.at('usr/lib/mysql/plugin')}`,
    ]);
    (await place.connect(socket)).destroy();
    const client = place.spawn(
      place.at('usr/bin/mariadb'),
      ['--no-defaults', `--socket=${socket}`, '--user=root', '--force'],
      { isServer: false },
    );
    client.stdin?.write('CREATE DATABASE d; USE d; CREATE TABLE t (a INT, b TEXT);\n');
    let n = 0;
    return { pid: pidOf(server), work: () => client.stdin?.write(times(2, () => SQL(n++))) };
  },
};

/** The process that serves a client; the server is nobody's, for it refuses to be root's. */
const postgres: Kind = {
  name: 'PostgreSQL',
  async start(place) {
    // What is in root's cache nobody can read.
    for (const part of ['lib/postgresql/15', 'share/postgresql/15', 'lib/x86_64-linux-gnu']) {
      place.run('mkdir', ['-p', join(place.dir, 'usr', part)]);
      place.run('cp', ['-r', `${place.at(`usr/${part}`)}/.`, join(place.dir, 'usr', part)]);
    }
    const bin = (name: string) => join(place.dir, 'usr/lib/postgresql/15/bin', name);
    chownSync(place.dir, NOBODY, NOBODY);
    const nobody = { uid: NOBODY, gid: NOBODY };
    const data = join(place.dir, 'data');
    place.run(bin('initdb'), ['-D', data, '-A', 'trust', '-U', 'me', '--no-sync'], nobody);
    const unix = `unix_socket_directories=${place.dir}`;
    place.spawn(bin('postgres'), ['-D', data, '-c', 'listen_addresses=', '-c', unix], nobody);
    (await place.connect(join(place.dir, '.s.PGSQL.5432'))).destroy();
    const client = place.spawn(bin('psql'), ['-h', place.dir, '-U', 'me', '-At', 'postgres'], {
      isServer: false,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    client.stdin?.write('SELECT pg_backend_pid(); CREATE TABLE t (a INT, b TEXT);\n');
    const [text] = (await once(client.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    client.stdout?.resume();
    let n = 0;
    return {
      pid: Number(text.toString().split('\n')[0]),
      work: () => client.stdin?.write(times(2, () => SQL(n++))),
    };
  },
};

/** A runtime with a program of ours that fills a cache up to a bound. */
const runtime = (
  name: string,
  command: string,
  file: string,
  args: readonly string[] = [],
): Kind => ({
  name,
  lack: () =>
    spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
      ? undefined
      : `${command} is not installed`,
  start: (place) => {
    const child = place.spawn(command, [...args, join(SOURCES, file)]);
    return Promise.resolve({ pid: pidOf(child) });
  },
});

export const KINDS: readonly Kind[] = [
  redis,
  memcached,
  nginx,
  mariadb,
  postgres,
  runtime('Node with a cache', process.execPath, 'cache.js'),
  runtime('Python with a cache, by malloc', 'python3', 'cache.py'),
  runtime('Java with native memory that is freed', 'java', 'Cache.java', ['-Xmx64m']),
];
