/** Where the installed program's files are; the same for the checkout, a bundle and an image. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemWatcherError } from './errors.js';

export interface Installation {
  /** The folder that holds config/ and dist/bpf/. */
  readonly root: string;
  readonly version: string;
  /** The least version of Node that it runs on: `22.15`. */
  readonly leastNode: string;
  /** A plugin's compiled BPF object. */
  bpfObject(plugin: string): string;
  /** The folder of config/kernel/<plugin>.yaml. */
  readonly profiles: string;
}

/** Found upwards from the module `url`. INTERNAL if the program was torn from its files. */
export function findInstallation(url: string): Installation {
  for (let folder = dirname(fileURLToPath(url)); ; folder = dirname(folder)) {
    const profiles = join(folder, 'config', 'kernel');
    if (existsSync(profiles)) {
      return {
        root: folder,
        ...manifestOf(folder),
        bpfObject: (plugin) => join(folder, 'dist', 'bpf', `${plugin}.bpf.o`),
        profiles,
      };
    }
    if (folder === dirname(folder)) {
      throw new MemWatcherError('INTERNAL', 'mem-watcher does not find its config/kernel folder', {
        hint: 'keep config/ and dist/ together, as in the repository',
      });
    }
  }
}

function manifestOf(folder: string): Pick<Installation, 'version' | 'leastNode'> {
  const manifest: { version: string; engines: { node: string } } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  return { version: manifest.version, leastNode: manifest.engines.node.replace('>=', '') };
}

/** What is wrong with the Node that runs this, for its user; undefined if it is new enough. */
export function lackOfNode(
  { leastNode }: Pick<Installation, 'leastNode'>,
  running: string = process.versions.node,
): string | undefined {
  if (!isOlder(numbers(running), numbers(leastNode))) return undefined;
  return (
    `Node ${running} is too old: it takes ${leastNode} or newer` +
    '\n  npm installs one beside the agent, which core/mem-watcher takes by itself'
  );
}

// Without Intl, of which loading alone makes the agent 3 MB larger.
const numbers = (version: string): number[] => version.split('.').map(Number);

function isOlder(running: readonly number[], least: readonly number[]): boolean {
  const at = least.findIndex((part, index) => part !== (running[index] ?? 0));
  return at >= 0 && (running[at] ?? 0) < (least[at] ?? 0);
}
