/** The notes of a file: its build id, and what the Go linker leaves. */
import type { ElfBytes } from './elf-bytes.js';
import { PT_NOTE, type Section, type Segment } from './header.js';

const SHT_NOTE = 7;
const HEADER_SIZE = 12;
/** What honest notes take is a hundredth of it. */
const MAX_BYTES = 64 << 10;
const MAX_NOTES = 256;

export interface Note {
  readonly owner: string;
  readonly type: number;
  readonly content: Uint8Array;
}

/** Those of the segments; of a file without, those of the sections. */
export function readNotes(
  bytes: ElfBytes,
  segments: readonly Segment[],
  sections: () => readonly Section[],
): Note[] {
  const loaded = segments
    .filter(({ type }) => type === PT_NOTE)
    .map(({ offset, fileSize }) => ({ offset, size: fileSize }));
  const areas = loaded.length > 0 ? loaded : sections().filter(({ type }) => type === SHT_NOTE);
  const notes: Note[] = [];
  for (const { offset, size } of areas.slice(0, MAX_NOTES)) {
    notes.push(...notesOf(bytes, offset, Math.min(size, MAX_BYTES)));
    if (notes.length > MAX_NOTES) break;
  }
  return notes;
}

function notesOf(bytes: ElfBytes, offset: number, size: number): Note[] {
  if (offset + size > bytes.size) return [];
  const view = bytes.read(offset, size);
  const notes: Note[] = [];
  for (let at = 0; at + HEADER_SIZE <= size && notes.length < MAX_NOTES; ) {
    const nameSize = view.getUint32(at, true);
    const contentSize = view.getUint32(at + 4, true);
    const name = at + HEADER_SIZE;
    const content = name + padded(nameSize);
    const end = content + contentSize;
    if (end > size) break;
    notes.push({
      owner: ownerOf(Buffer.from(view.buffer, view.byteOffset + name, nameSize)),
      type: view.getUint32(at + 8, true),
      content: new Uint8Array(view.buffer, view.byteOffset + content, contentSize).slice(),
    });
    at = content + padded(contentSize);
  }
  return notes;
}

/** Go's linker counts its padding as part of the name. */
function ownerOf(name: Buffer): string {
  const end = name.indexOf(0);
  return name.toString('latin1', 0, end < 0 ? name.length : end);
}

const padded = (size: number) => Math.ceil(size / 4) * 4;
