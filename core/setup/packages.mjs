/** Debian packages: what is needed for what, what is missing, and how to get it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { findProgram } from './programs.mjs';
import { run, SetupError } from './progress.mjs';
import { asRoot, isRoot } from './root.mjs';

/** package → what for */
const BUILD = {
  clang: 'compiles the BPF programs',
  llvm: 'strips them',
  make: 'builds them',
  'libbpf-dev': 'their headers',
  'linux-libc-dev': 'their headers',
  libbpf1: 'loads them',
  libdw1: 'names code addresses',
  libatomic1: 'Node needs it',
};

const QEMU = process.arch === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86';
const TEST = {
  gcc: 'compiles the test programs',
  'g++': 'compiles those in C++',
  dwz: 'makes debug files that share, as distributions do',
  'libc6-dev': 'their headers',
  'musl-tools': 'links some of them with another libc',
  libjemalloc2: 'an allocator that programs are followed with',
  'libtcmalloc-minimal4': 'another',
  [QEMU]: 'runs the kernels of the matrix',
  'busybox-static': 'the guests’ user space',
  kmod: 'finds what a kernel module needs',
  'xz-utils': 'unpacks kernel modules',
  openssl: 'makes the certificates of TLS tests',
  bpftool: 'what our reading of BTF is held against',
  'libcap2-bin': 'what our reading of capabilities is held against',
  'debian-archive-keyring': 'verifies the kernels',
};

/** Tests that lack these are skipped; a gate runs them. */
const GATE = {
  podman: 'starts the containers of the end-to-end tests',
  runc: 'runs them under hybrid cgroups, which crun refuses',
  'libmimalloc2.0': 'one more allocator',
};

const APT = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
/** Without it apt-get takes lists that it could not read for a success. */
const APT_UPDATE = ['-o', 'APT::Update::Error-Mode=any', '-o', 'DPkg::Lock::Timeout=300'];
const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive' };

export const packagesFor = ({ test, gate }) =>
  Object.keys({ ...BUILD, ...(test && TEST), ...(gate && GATE) });

/** Those that are not installed; undefined where there is no dpkg. */
export function missingPackages(names) {
  // Suites after bookworm have some libraries under another name, which provides the old one.
  const asked = names.flatMap((name) => [name, `${name}t64`]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const result = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Abbrev}\n', ...asked], {
    encoding: 'utf8',
  });
  if (result.error) return undefined;
  const installed = new Set(
    result.stdout
      .split('\n')
      .filter((line) => / ii\s*$/.test(line))
      .map((line) => line.split(' ')[0].replace(/t64$/, '')),
  );
  return names.filter((name) => !installed.has(name));
}

export async function installPackages(names) {
  if (!isRoot()) {
    throw new SetupError(
      `these Debian packages are missing, and only root can install them: ${names.join(' ')}`,
      asRoot('apt-get update', `apt-get install -y --no-install-recommends ${names.join(' ')}`),
    );
  }
  const install = () =>
    run('installing Debian packages', 'apt-get', ['install', ...APT, ...names], {
      env: ENVIRONMENT,
    });
  if (hasLists()) {
    try {
      return await install();
    } catch {
      // The lists may be older than the archive.
    }
  }
  // A list of another source that cannot be read does no harm; one of Debian's makes the
  // installation fail, and is then what has to be told.
  const failure = await failureOf(() =>
    run('reading Debian’s package lists', 'apt-get', ['update', ...APT_UPDATE]),
  );
  try {
    await install();
  } catch (error) {
    throw failure ?? error;
  }
}

async function failureOf(perform) {
  try {
    await perform();
    return undefined;
  } catch (error) {
    return error;
  }
}

function hasLists() {
  const lists = '/var/lib/apt/lists';
  return existsSync(lists) && readdirSync(lists).some((name) => /_Packages(\.\w+)?$/.test(name));
}

/** Where there is no dpkg: what cannot be found on this machine, by what it is for. */
export function missingTools({ test }) {
  const tools = [
    'clang',
    'llvm-strip',
    'make',
    ...(test ? ['gcc', 'busybox', 'depmod', 'xz', 'openssl', 'bpftool', 'capsh'] : []),
  ];
  const headers = existsSync('/usr/include/bpf/bpf_helpers.h') ? [] : ['libbpf headers'];
  return [...tools.filter((tool) => !findProgram(tool)), ...headers];
}
