/**
 * The process that reads other people's files: started by `symbolizer-child.ts`, it gives up all
 * rights, says so, and answers questions on stdin until it is closed. The files come over a socket.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { describeError, errnoCode, MemWatcherError } from '../errors.js';
import { type CodeLayout, codeLayoutOf } from './code-layout.js';
import { belongs, sharedIdOf } from './debug-check.js';
import { demangler } from './demangle.js';
import { DwarfFile } from './dwarf-file.js';
import { ElfNames } from './elf-names.js';
import { libc } from './libc.js';
import { type DebugWanted, type LibDw, LibDwError, openCxxDemangler, openLibDw } from './libdw.js';
import { printable } from './printable.js';
import { giveUpEverything, mustStartAgain, SOCKET, startAgain } from './sandbox.js';
import {
  Decoder,
  encode,
  type FoundFrame,
  PROTOCOL_EXIT,
  ProtocolError,
  type Question,
  type Statement,
} from './wire.js';

const [memory = '', cpuSeconds = '', files = '', again] = process.argv.slice(2);

interface NamedFile {
  look(address: bigint): FoundFrame[];
}

class Child {
  readonly #dw = openLibDw();
  readonly #demangle = demangler(openCxxDemangler());
  readonly #files = new Map<number, NamedFile | string>();
  readonly #decoder = new Decoder(1 << 24);
  readonly #questions: Question[] = [];
  readonly #piece = Buffer.alloc(1 << 16);

  run(): void {
    const limits = { memory: Number(memory), cpuSeconds: Number(cpuSeconds), files: Number(files) };
    const status = giveUpEverything(limits);
    this.#say({ kind: 'ready', status });
    for (let question = this.#next(); question; question = this.#next()) {
      if (question.kind === 'forget') this.#forget(question.file);
      if (question.kind === 'look') this.#look(question);
    }
  }

  #look({ file, fresh, addresses }: Question & { kind: 'look' }): void {
    if (fresh) this.#files.set(file, this.#open());
    const known = this.#files.get(file);
    if (known === undefined) throw new ProtocolError(`file ${file} was never handed over`);
    const lack = typeof known === 'string' ? known : undefined;
    const frames = addresses.map((address) =>
      typeof known === 'string' ? [] : known.look(BigInt(`0x${address}`)).map(shown),
    );
    const { user, system } = process.cpuUsage();
    const tired = user + system > (Number(cpuSeconds) * 1e6) / 2;
    this.#say({ kind: 'found', frames, tired, ...(lack !== undefined && { lack }) });
  }

  #open(): NamedFile | string {
    const fd = libc().receiveFile(SOCKET);
    if (fd === undefined) throw new ProtocolError('the file did not arrive');
    try {
      if (this.#dw !== undefined) return this.#openDwarf(this.#dw, fd);
      const names = new ElfNames(fd, this.#demangle, NO_LIBDW);
      closeSync(fd);
      return names;
    } catch (error) {
      closeSync(fd);
      // What else goes wrong here is no property of the file.
      if (isOfFile(error)) return describeError(error);
      throw error;
    }
  }

  #openDwarf(dw: LibDw, fd: number): NamedFile {
    let sharedId = sharedIdOf(fd);
    // Before the library owns the descriptor.
    const code = codeLayoutOf(fd);
    const ask = (wanted: DebugWanted) => {
      const whole = wanted.isShared ? { ...wanted, buildId: sharedId } : wanted;
      const found = this.#ask(whole, code);
      if (found >= 0 && !wanted.isShared) sharedId = sharedIdOf(found);
      return found;
    };
    return new DwarfFile(dw, fd, ask, this.#demangle);
  }

  #forget(file: number): void {
    const known = this.#files.get(file);
    this.#files.delete(file);
    if (known instanceof DwarfFile) known.close();
  }

  /** Gives what belongs to the file, of all that the agent can find. */
  #ask(wanted: DebugWanted, code: CodeLayout): number {
    const { buildId, link, isShared } = wanted;
    this.#say({ kind: 'want', buildId: buildId.toString('hex'), link, shared: isShared });
    const given = this.#next();
    const count = given?.kind === 'given' ? given.files : 0;
    let found = -1;
    for (let n = 0; n < count; n++) {
      const fd = libc().receiveFile(SOCKET);
      if (fd === undefined) break;
      if (found < 0 && belongs(fd, wanted, code)) found = fd;
      else closeSync(fd);
    }
    return found;
  }

  #next(): Question | undefined {
    while (this.#questions.length === 0) {
      const length = readSync(0, this.#piece);
      if (length === 0) return undefined;
      const messages = this.#decoder.feed(Buffer.from(this.#piece.subarray(0, length)));
      this.#questions.push(...messages.map(parseQuestion));
    }
    return this.#questions.shift();
  }

  #say(statement: Statement): void {
    const bytes = encode(statement);
    for (let at = 0; at < bytes.length; at += writeSync(1, bytes, at));
  }
}

/** The library's refusal, ours, or the file system's. */
const isOfFile = (error: unknown): boolean =>
  error instanceof LibDwError || error instanceof MemWatcherError || errnoCode(error) !== undefined;

function parseQuestion(message: string): Question {
  try {
    return JSON.parse(message);
  } catch (cause) {
    throw new ProtocolError(describeError(cause));
  }
}

const shown = ({ name, file, ...others }: FoundFrame): FoundFrame => ({
  ...others,
  ...(name !== undefined && { name: printable(name) }),
  ...(file !== undefined && { file: printable(file) }),
});

const NO_LIBDW = 'libdw.so.1 is missing, which reads lines and debug files: apt-get install libdw1';

if (again === undefined && mustStartAgain()) {
  startAgain(process.execPath, [...process.execArgv, ...process.argv.slice(1), 'again']);
}
try {
  new Child().run();
} catch (error) {
  writeSync(2, `Error: ${error instanceof Error ? error.message : String(error)}\n`);
  libc().exit(error instanceof ProtocolError ? PROTOCOL_EXIT : 1);
}
libc().exit(0);
