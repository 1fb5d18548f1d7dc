/** Where each box of a flame graph is, in shares of the whole width. */
import type { LeakStack } from '../model.js';
import type { FlameNode } from './flame-tree.js';

/** A box is a frame, or on top of the frames what is held of a stack. */
export interface Box {
  readonly node: FlameNode;
  readonly stack?: LeakStack;
  /** Shares of the whole, 0 to 1. */
  readonly left: number;
  readonly width: number;
  /** 0 for the root. */
  readonly level: number;
}

export interface Layout {
  readonly boxes: readonly Box[];
  readonly levels: number;
  /** Boxes too narrow to be seen. */
  readonly hidden: number;
}

/** `least`: the narrowest box that is drawn, as a share. */
export function layOut(root: FlameNode, least: number): Layout {
  const boxes: Box[] = [];
  let levels = 0;
  let hidden = 0;
  const whole = Math.max(1, root.bytes);
  const place = (box: Box): void => {
    if (box.width < least) {
      hidden++;
      return;
    }
    boxes.push(box);
    levels = Math.max(levels, box.level + 1);
    if (box.stack) return;
    const { node, level } = box;
    let { left } = box;
    const next = (bytes: number) => {
      const at = left;
      left += bytes / whole;
      return { left: at, width: bytes / whole, level: level + 1 };
    };
    for (const child of node.children) place({ node: child, ...next(child.bytes) });
    for (const stack of node.stacks) {
      place({ node, stack, ...next(Math.round(stack.reading.bytes)) });
    }
  };
  place({ node: root, left: 0, width: 1, level: 0 });
  return { boxes, levels, hidden };
}
