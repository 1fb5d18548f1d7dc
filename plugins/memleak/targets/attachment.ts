import { basename } from 'node:path';
import type { BpfLink } from '../../../core/bpf/host.js';
import { describeError } from '../../../core/errors.js';
import type { MappedModule } from '../../../core/symbolize/symbolizer.js';
import type { ProcessId } from '../model.js';
import type { CodeRange, UserWatch } from '../user/user-watch.js';
import type { Family } from './allocators.js';
import type { Image } from './image.js';
import type { Images } from './images.js';
import type { Job } from './jobs.js';
import type { Group, Links } from './links.js';
import { type FilePlan, type PlanOptions, planFile } from './plan.js';

export interface AttachContext {
  readonly watch: Pick<UserWatch, 'join'>;
  readonly links: Links;
  readonly images: Images;
}

/** Longer than a call of an allocator takes. */
const CALLS_END_MS = 100;

/** What was in the way may have passed by then. */
const STAYS_MS = 600_000;

const wantedOf = ({ isShared, number }: Group): number => (isShared ? number : 0);

/** The probes in one process: a link for each file that has functions which allocate. */
export class Attachment {
  /** By file; of files without such functions as well. */
  readonly #files = new Map<string, AttachedFile>();
  /** Links of which the kernel is letting go. */
  #detaching = 0;
  /** Whose links it has; 0: its own. */
  #joined: number;
  /** Until when it is not tried again to go over to others, as it failed: ms. */
  #staysUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly process: ProcessId,
    private readonly options: PlanOptions,
    private readonly group: Group,
    private readonly context: AttachContext,
  ) {
    this.#joined = wantedOf(group);
    context.watch.join(process, this.#joined);
  }

  get families(): readonly Family[] {
    const found = [...this.#files.values()].flatMap(({ link, plan }) =>
      link && plan?.family ? [plan.family] : [],
    );
    return [...new Set(found)];
  }

  /** Of what is called most, the share that is single-stepped. */
  get stepped(): number {
    const shares = [...this.#files.values()].flatMap(({ link, plan }) =>
      link && plan ? [plan.stepped] : [],
    );
    return Math.max(0, ...shares);
  }

  /** Where in the process runtimes have what they run programs by (`Image.interpreter`). */
  interpreters(modules: readonly MappedModule[]): readonly CodeRange[] {
    return modules.flatMap((module) => {
      const { interpreter = [] } = this.#files.get(keyOf(module)) ?? {};
      const at = (offset: number) => module.start - module.fileOffset + BigInt(offset);
      return interpreter.map(({ start, end }) => ({ start: at(start), end: at(end) }));
    });
  }

  /** What could not be attached, a sentence each. */
  get problems(): readonly string[] {
    return [...this.#files.values()].flatMap(({ problem, unsafe }) =>
      [problem, unsafe].filter((text) => text !== undefined),
    );
  }

  /**
   * Makes the links those of the files that are mapped; yields after each file. What went wrong with
   * one before is tried again.
   */
  *update(modules: readonly MappedModule[]): Job {
    const mapped = new Map<string, MappedModule>();
    for (const module of modules) {
      if (module.inode !== 0) mapped.set(keyOf(module), module);
    }
    for (const [key, module] of mapped) {
      const known = this.#files.get(key);
      if (known && known.problem === undefined) continue;
      this.#files.set(key, this.#attach(module));
      yield undefined;
    }
    for (const key of this.#files.keys()) {
      if (!mapped.has(key)) this.#detach(key);
    }
  }

  /** Whether it is to share links that it does not, or the other way round. */
  get isMisplaced(): boolean {
    return performance.now() >= this.#staysUntil && this.#joined !== wantedOf(this.group);
  }

  /**
   * Goes over to shared links, or to its own. It has both for a while, and is seen by both. What cannot be
   * attached leaves all as it is.
   */
  *regroup(modules: readonly MappedModule[]): Job {
    const to = wantedOf(this.group);
    const links = new Map<string, BpfLink>();
    try {
      for (const module of modules) {
        const key = keyOf(module);
        const { link, plan } = this.#files.get(key) ?? {};
        if (!link || !plan || links.has(key)) continue;
        links.set(key, this.#attachAnew(module, plan, to));
        yield undefined;
      }
      this.context.watch.join(this.process, to, this.#joined);
      this.#joined = to;
      // Those that it had are let go below.
      for (const [key, { link, ...rest }] of this.#files) {
        const other = links.get(key);
        if (link) links.set(key, link);
        this.#files.set(key, other ? { ...rest, link: other } : rest);
      }
      // Calls that the old ones saw begin are to be seen to end by them.
      const until = performance.now() + CALLS_END_MS;
      while (performance.now() < until) yield 'wait';
    } catch {
      this.#staysUntil = performance.now() + STAYS_MS;
    } finally {
      for (const link of links.values()) this.#letGo(link);
    }
    while (this.#detaching > 0) yield 'wait';
    this.context.watch.join(this.process, this.#joined);
  }

  #attachAnew(module: MappedModule, { sites }: FilePlan, group: number): BpfLink {
    const { images, links } = this.context;
    const found = images.find(this.process.pid, module);
    if (!found) throw new Error(`${printable(module.path)} is gone`);
    return links.attach(this.process, group, sharedKeyOf(module), { path: found.path, sites });
  }

  /** Detaches from all; waits until nothing is left. If it is called off, that comes later. */
  *close(): Job {
    for (const key of this.#files.keys()) this.#detach(key);
    while (this.#detaching > 0) yield 'wait';
  }

  #attach(module: MappedModule): AttachedFile {
    const name = printable(module.path);
    try {
      const found = this.context.images.find(this.process.pid, module);
      if (found === undefined) {
        return mayMatter(module)
          ? { problem: `${name} could not be opened: it is gone, or another file has its name` }
          : {};
      }
      const plan = planFile(found.image, basename(module.path), this.options, found.exitsOf);
      const unsafe = plan.unsafe.length > 0 ? unsafeWords(name, plan) : undefined;
      const { interpreter } = found.image;
      const file = { plan, unsafe, interpreter };
      if (plan.sites.length === 0) return file;
      const probed = { path: found.path, sites: plan.sites };
      const link = this.context.links.attach(
        this.process,
        this.#joined,
        sharedKeyOf(module),
        probed,
      );
      return { ...file, link };
    } catch (error) {
      return { problem: `${name}: ${describeError(error)}` };
    }
  }

  #detach(key: string): void {
    const { link } = this.#files.get(key) ?? {};
    this.#files.delete(key);
    if (link) this.#letGo(link);
  }

  #letGo(link: BpfLink): void {
    this.#detaching++;
    // What cannot be detached any more is no concern of who has left.
    const ended = () => {
      this.#detaching--;
    };
    void detached(link).then(ended, ended);
  }
}

/**
 * Of a file whatever mount it is seen by: overlays of containers have devices of their own, and one file
 * below, where the kernel puts the probe.
 */
const sharedKeyOf = (module: MappedModule): string =>
  `${keyOf(module).replace(/^\S+ /, '')} ${module.buildId ?? ''}`;

const keyOf = ({ file, device, inode }: MappedModule): string => file ?? `${device} ${inode}`;

async function detached(link: BpfLink): Promise<void> {
  if (link.closeSoon) return link.closeSoon();
  link.close();
}

interface AttachedFile {
  readonly interpreter?: Image['interpreter'];
  readonly plan?: FilePlan;
  readonly link?: BpfLink;
  /** Why its functions are not followed. */
  readonly problem?: string | undefined;
  readonly unsafe?: string | undefined;
}

/** A device or what is in memory alone has no functions; and no path to be opened by. */
const mayMatter = ({ path }: MappedModule): boolean =>
  path.startsWith('/') && !/^\/(dev|memfd:|SYSV|anon_hugepage|\[)/.test(path);

const unsafeWords = (name: string, { unsafe }: FilePlan): string =>
  `${unsafe.length} functions of ${name} are not followed (${unsafe[0]}…): a return probe could end the ` +
  'program, or show in its own reports, and where their code returns is not known';

/** Names go to logs and terminals. */
export const printable = (text: string): string =>
  JSON.stringify(text.length > 256 ? `${text.slice(0, 255)}…` : text).slice(1, -1);
