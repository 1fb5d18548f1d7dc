/**
 * What the agent and the child without privileges say to each other: JSON, each with its length in
 * front.
 */
/** What the agent asks. A file comes over the socket before the question that has it as `fresh`. */
export type Question =
  | {
      readonly kind: 'look';
      /** The agent's number of the file. */
      readonly file: number;
      readonly fresh: boolean;
      /** Hex, in the file's own terms. */
      readonly addresses: readonly string[];
    }
  | { readonly kind: 'forget'; readonly file: number }
  /** The answer to `want`: so many files have come over the socket. */
  | { readonly kind: 'given'; readonly files: number };

/** A frame without what only the agent knows. */
export interface FoundFrame {
  readonly name?: string | undefined;
  /** Where the function begins, hex. */
  readonly begin?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly inlined: boolean;
  /** Why there is no more. */
  readonly lack?: string | undefined;
}

/** It has given up all rights and can be asked. */
export interface Ready {
  readonly kind: 'ready';
  /** /proc/self/status. */
  readonly status: string;
}

/** It needs a debug file. */
export interface Want {
  readonly kind: 'want';
  /** Hex; empty if unknown. */
  readonly buildId: string;
  /** What the file calls it; empty if it does not. */
  readonly link: string;
  /** It is what several debug files have in common. */
  readonly shared: boolean;
}

/** The answer to `look`. */
export interface Found {
  readonly kind: 'found';
  /** By address, as they were asked. */
  readonly frames: readonly (readonly FoundFrame[])[];
  /** Why the file gives no names. */
  readonly lack?: string | undefined;
  /** It has used up much of what it may, and wants to be replaced. */
  readonly tired: boolean;
}

export type Statement = Ready | Want | Found;

export const MAX_STATEMENT = 1 << 24;

/** The child's exit code when it does not understand the agent. */
export const PROTOCOL_EXIT = 3;

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encode(message: Question | Statement): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([length, body]);
}

/** Messages out of a stream that is cut anywhere. Throws for one that is too long. */
export class Decoder {
  #rest: Buffer = Buffer.alloc(0);
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  feed(piece: Buffer): string[] {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const messages: string[] = [];
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32LE(0);
      if (length > this.#most) throw new ProtocolError(`a message of ${length} bytes`);
      if (this.#rest.length < 4 + length) break;
      messages.push(this.#rest.toString('utf8', 4, 4 + length));
      this.#rest = this.#rest.subarray(4 + length);
    }
    return messages;
  }
}
