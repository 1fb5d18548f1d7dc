/**
 * What the agent and the child without privileges say to each other: JSON, each with its length in
 * front. The agent believes nothing of what it hears: the child may have been taken over by a file.
 */
import { z } from 'zod';

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

const text = z.string().max(1 << 16);
const hex = z.string().regex(/^[0-9a-f]{1,16}$/);

/** A frame without what only the agent knows. */
const frame = z.object({
  name: text.optional(),
  /** Where the function begins. */
  begin: hex.optional(),
  file: text.optional(),
  line: z.number().int().nonnegative().max(0xffffffff).optional(),
  inlined: z.boolean(),
});

/** What the child says. */
const statement = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), lack: text.optional(), status: text }),
  z.object({
    kind: z.literal('want'),
    buildId: z.string().regex(/^([0-9a-f]{2}){0,64}$/),
    link: z.string().max(4096),
    shared: z.boolean(),
  }),
  z.object({
    kind: z.literal('found'),
    /** By address, as they were asked. */
    frames: z.array(z.array(frame).max(1024)).max(4096),
    /** Why the file gives no names, or fewer than it could. */
    lack: text.optional(),
    /** It has used up much of what it may, and wants to be replaced. */
    tired: z.boolean(),
  }),
]);

export type Statement = z.infer<typeof statement>;
export type FoundFrame = z.infer<typeof frame>;

export const MAX_STATEMENT = 1 << 24;

/** Throws for whatever is not a statement. */
export const parseStatement = (json: string): Statement => statement.parse(JSON.parse(json));

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
      if (length > this.#most) throw new Error(`a message of ${length} bytes`);
      if (this.#rest.length < 4 + length) break;
      messages.push(this.#rest.toString('utf8', 4, 4 + length));
      this.#rest = this.#rest.subarray(4 + length);
    }
    return messages;
  }
}
