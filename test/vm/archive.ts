/**
 * Debian's archive, any suite, without touching the machine's own apt: lists and downloads live in
 * a private state under the cache. The mirror is the one that the machine itself uses.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachePath } from '../cache.js';
import { command } from '../command.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const LISTS_FRESH_MS = 24 * 3600 * 1000;
const APT_SOURCES = '/etc/apt';

export interface Mirror {
  readonly main: string;
  readonly security: string | undefined;
}

/** The archive and the security archive of the machine's own sources, one-line or deb822. */
export function machineMirror(): Mirror {
  const files = [join(APT_SOURCES, 'sources.list')];
  const parts = join(APT_SOURCES, 'sources.list.d');
  if (existsSync(parts)) files.push(...readdirSync(parts).map((name) => join(parts, name)));
  const entries = files
    .filter((file) => existsSync(file) && /\.(list|sources)$/.test(file))
    .flatMap((file) => parseSources(readFileSync(file, 'utf8')));
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const main = entries.find((entry) => entry.suites.includes(codename ?? 'stable'))?.uri;
  if (main === undefined) {
    throw new Error(
      `no archive for ${codename ?? 'this release'} in ${APT_SOURCES}: the kernels of the matrix ` +
        'come from the mirror that apt is configured with',
    );
  }
  const security = entries.find((entry) => entry.suites.includes(`${codename}-security`))?.uri;
  return { main, security };
}

interface Source {
  readonly uri: string;
  readonly suites: readonly string[];
}

/** Both formats of apt's sources: `deb [options] URI SUITE …` lines, and deb822 paragraphs. */
export function parseSources(text: string): Source[] {
  const lines = [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm)].map(
    ([, uri = '', suite = '']) => ({ uri, suites: [suite] }),
  );
  const paragraphs = text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.+)$`, 'mi').exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    return field('URIs').map((uri) => ({ uri, suites: field('Suites') }));
  });
  return [...lines, ...paragraphs];
}

export class Archive {
  readonly #dir = cachePath('apt');

  /** Reads the lists anew when they are older than a day. */
  refresh(suites: readonly string[]): void {
    mkdirSync(join(this.#dir, 'lists', 'partial'), { recursive: true });
    mkdirSync(join(this.#dir, 'cache', 'archives', 'partial'), { recursive: true });
    const stamp = join(this.#dir, 'sources.list');
    const { main, security } = machineMirror();
    const signed = `[signed-by=${KEYRING}]`;
    const text = suites
      .flatMap((suite) => [
        `deb ${signed} ${main} ${suite} main`,
        ...(security === undefined || suite === 'sid'
          ? []
          : [`deb ${signed} ${security} ${suite}-security main`]),
      ])
      .join('\n');
    const fresh =
      existsSync(stamp) &&
      readFileSync(stamp, 'utf8') === text &&
      Date.now() - statSync(stamp).mtimeMs < LISTS_FRESH_MS;
    if (fresh) return;
    writeFileSync(`${stamp}.new`, text);
    this.#apt('apt-get', ['update'], `${stamp}.new`);
    writeFileSync(stamp, text);
  }

  /** Names of packages that match, newest version first. */
  packages(pattern: RegExp): string[] {
    const prefix = /^\^([a-z-]+)/.exec(pattern.source)?.[1] ?? '';
    return this.#apt('apt-cache', ['pkgnames', prefix])
      .split('\n')
      .filter((name) => pattern.test(name))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  }

  /** Downloads packages and unpacks them into `dir`. */
  unpack(names: readonly string[], dir: string): void {
    const downloads = join(dir, 'download');
    mkdirSync(downloads, { recursive: true });
    this.#apt('apt-get', ['download', ...names], undefined, downloads);
    for (const file of readdirSync(downloads)) {
      command('dpkg', ['-x', join(downloads, file), dir]);
    }
    command('rm', ['-r', downloads]);
  }

  #apt(tool: string, args: readonly string[], sources?: string, cwd?: string): string {
    const set = {
      'Dir::State::Lists': join(this.#dir, 'lists'),
      'Dir::Cache': join(this.#dir, 'cache'),
      'Dir::Etc::SourceList': sources ?? join(this.#dir, 'sources.list'),
      'Dir::Etc::SourceParts': '/dev/null',
      // Files under a user's cache are not readable for apt's sandbox user.
      'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
      'Acquire::Languages': 'none',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    };
    const options = Object.entries(set).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    return command(tool, [...options, ...args], cwd === undefined ? {} : { cwd });
  }
}
