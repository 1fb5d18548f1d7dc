/**
 * The agent's side of the child without privileges: started when it is needed, asked one question
 * at a time, ended when it has been idle. One that dies or takes too long is killed and counted; the
 * next is started after a pause that doubles as long as that goes on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeError } from '../errors.js';
import type { Closable } from '../scope.js';
import { libc } from './libc.js';
import { parseStatement } from './statement.js';
import {
  Decoder,
  encode,
  type Found,
  MAX_STATEMENT,
  PROTOCOL_EXIT,
  type Question,
  type Statement,
  type Want,
} from './wire.js';

export interface ChildHostOptions {
  /** Bytes that the child may take beyond what it begins with; mapped files count. */
  readonly memory?: number;
  /** Processor time after which a child is replaced, seconds. */
  readonly cpuSeconds?: number;
  /** Milliseconds for one question. */
  readonly questionMs?: number;
  /** Milliseconds without a question after which the child is ended. */
  readonly idleMs?: number;
  /** In place of the real one: what is started by Node. */
  readonly script?: string;
}

/** Opens debug files for the child; the descriptors are then ours to close. */
export type Supply = (wanted: Want) => readonly number[];

/** Why there is no answer. None of them says anything of the file that was asked about. */
export type NoAnswerCode =
  /** The child ended by itself or was killed. */
  | 'CRASHED'
  | 'TIMED_OUT'
  /** What one side sent the other cannot read, or did not expect. */
  | 'PROTOCOL'
  | 'NOT_STARTED'
  /** One has failed; the next is not started yet. */
  | 'PAUSED'
  | 'CLOSED'
  /** On the agent's own side. */
  | 'INTERNAL';

export class NoAnswer extends Error {
  constructor(
    readonly code: NoAnswerCode,
    message: string,
  ) {
    super(message);
  }

  /** Whether the child was at work on the file: it may be what made it fail. */
  get wasReading(): boolean {
    return ['CRASHED', 'TIMED_OUT'].includes(this.code);
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly socket: number;
  readonly decoder: Decoder;
  hear: (statement: Statement | NoAnswer) => void;
  status: string | undefined;
}

export class ChildHost implements Closable {
  readonly #options: Required<ChildHostOptions>;
  #running: Running | undefined;
  #generation = 0;
  #restarts = 0;
  #failuresInRow = 0;
  #notBefore = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;
  /** Questions wait for the one before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({
    memory = 1 << 30,
    cpuSeconds = 600,
    questionMs = 10_000,
    idleMs = 60_000,
    script = fileURLToPath(new URL('./symbolize-child.js', import.meta.url)),
  }: ChildHostOptions = {}) {
    this.#options = { memory, cpuSeconds, questionMs, idleMs, script };
  }

  /** Times that it had to be started again after it died or hung. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Of the child that runs. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** /proc/self/status of the child that runs, once it had given up everything. */
  get status(): string | undefined {
    return this.#running?.status;
  }

  /**
   * Runs `exchange` when all before it are done. The child that it is given has a number: what one
   * was told the next does not know.
   */
  run<T>(exchange: (child: AskedChild) => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      const running = await this.#start();
      clearTimeout(this.#idle);
      try {
        return await exchange(this.#asked(running));
      } finally {
        this.#idle = setTimeout(() => this.#end(), this.#options.idleMs).unref();
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #asked(running: Running): AskedChild {
    return {
      generation: this.#generation,
      ask: (question, file, supply) => this.#ask(running, question, file, supply),
      tell: (question) => void running.child.stdin?.write(encode(question)),
    };
  }

  async #ask(
    running: Running,
    question: Question,
    file: number | undefined,
    supply: Supply,
  ): Promise<Found> {
    if (file !== undefined && !libc().sendFile(running.socket, file)) {
      throw this.#fail(running, protocol('it takes no files'));
    }
    const heard = this.#hear(running, this.#options.questionMs, supply);
    running.child.stdin?.write(encode(question));
    const statement = await heard;
    if (statement.kind !== 'found') throw this.#fail(running, unexpected(statement));
    if (question.kind === 'look' && statement.frames.length !== question.addresses.length) {
      const counts = `${statement.frames.length} answers to ${question.addresses.length} questions`;
      throw this.#fail(running, protocol(counts));
    }
    this.#failuresInRow = 0;
    if (statement.tired) this.#end();
    return statement;
  }

  /** The next statement that is no `want`. */
  #hear(running: Running, limitMs: number, supply: Supply): Promise<Statement> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => running.hear(timedOut(limitMs)), limitMs);
      running.hear = (statement) => {
        if (!(statement instanceof NoAnswer) && statement.kind === 'want') {
          this.#give(running, statement, supply);
          return;
        }
        clearTimeout(timer);
        running.hear = () => undefined;
        if (statement instanceof NoAnswer) reject(this.#fail(running, statement));
        else resolve(statement);
      };
    });
  }

  #give(running: Running, wanted: Want, supply: Supply): void {
    let files: readonly number[];
    try {
      files = supply(wanted);
    } catch (error) {
      const why = `the symbolizer cannot look for debug files: ${describeError(error)}`;
      running.hear(new NoAnswer('INTERNAL', why));
      return;
    }
    const sent = files.filter((fd) => libc().sendFile(running.socket, fd)).length;
    for (const fd of files) closeSync(fd);
    running.child.stdin?.write(encode({ kind: 'given', files: sent }));
  }

  #fail(running: Running, why: NoAnswer): NoAnswer {
    if (this.#closed) return closed();
    if (this.#running === running) {
      this.#restarts++;
      this.#end();
      this.#pause();
    }
    return why;
  }

  #pause(): void {
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failuresInRow++, LONGEST_PAUSE);
    this.#notBefore = performance.now() + pause;
  }

  async #start(): Promise<Running> {
    if (this.#running !== undefined) return this.#running;
    if (this.#closed) throw closed();
    if (performance.now() < this.#notBefore) throw new NoAnswer('PAUSED', PAUSED);
    try {
      const running = this.#open();
      const ready = await this.#hear(running, START_MS, () => []);
      if (ready.kind !== 'ready') throw this.#fail(running, unexpected(ready));
      running.status = ready.status;
      return running;
    } catch (error) {
      if (this.#closed) throw closed();
      const why = `the symbol reader does not start: ${describeError(error)}`;
      throw new NoAnswer('NOT_STARTED', why);
    }
  }

  #open(): Running {
    const [ours, theirs] = libc().socketPair();
    try {
      this.#running = this.#spawn(ours, theirs);
      this.#generation++;
      return this.#running;
    } catch (error) {
      closeSync(ours);
      this.#pause();
      throw error;
    } finally {
      closeSync(theirs);
    }
  }

  #spawn(ours: number, theirs: number): Running {
    const { memory, cpuSeconds, script } = this.#options;
    const limits = [memory, cpuSeconds, MAX_FILES].map(String);
    const child = spawn(process.execPath, [...NODE_OPTIONS, script, ...limits], {
      stdio: ['pipe', 'pipe', 'pipe', theirs],
      env: {},
      cwd: '/',
    });
    const running: Running = {
      child,
      socket: ours,
      decoder: new Decoder(MAX_STATEMENT),
      hear: () => undefined,
      status: undefined,
    };
    let words = '';
    child.stderr?.on('data', (piece: Buffer) => {
      words = (words + piece.toString('utf8')).slice(0, MAX_WORDS);
    });
    child.stdout?.on('data', (piece: Buffer) => {
      for (const statement of statementsOf(running.decoder, piece)) running.hear(statement);
    });
    // Whoever waits is told by `close`; a pipe that breaks says nothing more.
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      stream?.on('error', () => undefined);
    }
    child.on('error', (error) => running.hear(crashed(error.message)));
    child.on('close', (code, signal) => {
      const why = /^.*Error: .*$/m.exec(words)?.[0] ?? `it ended with ${signal ?? code}`;
      running.hear(code === PROTOCOL_EXIT ? protocol(why) : crashed(why));
      if (this.#running === running) this.#end();
    });
    return running;
  }

  #end(): void {
    clearTimeout(this.#idle);
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    closeSync(running.socket);
    running.child.kill('SIGKILL');
    running.hear(crashed('it was ended'));
  }
}

/** What a piece of the child's output completes; a failure in place of what makes no sense. */
function statementsOf(decoder: Decoder, piece: Buffer): (Statement | NoAnswer)[] {
  try {
    return decoder.feed(piece).map(parseStatement);
  } catch {
    return [protocol('it sent what is no message')];
  }
}

const closed = () => new NoAnswer('CLOSED', 'the symbolizer is closed');
const crashed = (why: string) => new NoAnswer('CRASHED', `the symbol reader died: ${why}`);
const timedOut = (limitMs: number) =>
  new NoAnswer('TIMED_OUT', `the symbol reader took longer than ${limitMs / 1000} s`);
const protocol = (why: string) =>
  new NoAnswer('PROTOCOL', `the symbol reader and the agent do not understand each other: ${why}`);
const unexpected = ({ kind }: Statement) => protocol(`it sent \`${kind}\` out of turn`);
const PAUSED = 'the symbol reader has failed and is about to be started again';

/** A child for the time of an exchange. */
export interface AskedChild {
  readonly generation: number;
  /** Rejects with NoAnswer. `file` goes before the question; it stays the caller's. */
  ask(question: Question, file: number | undefined, supply: Supply): Promise<Found>;
  tell(question: Question): void;
}

/** It holds few objects, and the agent's settings are not for it. */
const NODE_OPTIONS = ['--max-old-space-size=128', '--max-semi-space-size=1', '--no-warnings'];
/** Descriptors in the child: Node's own, and two or three a file. */
const MAX_FILES = 256;
/** Node's start on a machine that is busy. */
const START_MS = 15_000;
const MAX_WORDS = 4096;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;
