/** Stacks merged from the outside in: what a flame graph draws. */
import type { Frame } from '../../../core/symbolize/frame.js';
import type { LeakSnapshot, LeakStack, State } from '../model.js';
import { nameOf } from './frames.js';
import { pathsOf } from './paths.js';

export interface FlameNode {
  readonly name: string;
  /** Absent of the root, of whom it is the name. */
  readonly frame?: Frame;
  /** Outstanding, of all stacks through here. */
  bytes: number;
  allocations: number;
  readonly byState: Map<State, number>;
  /** Largest first. */
  readonly children: FlameNode[];
  /** Those that end here, largest first. */
  readonly stacks: LeakStack[];
}

/** One tree of all; a child each process, and of the kernel. */
export function flameTree(snapshot: LeakSnapshot): FlameNode {
  const root = newNode('all');
  for (const { root: who, frames, bytes, allocations, stack } of pathsOf(snapshot)) {
    const { state } = stack.judgement;
    let node = root;
    add(node, bytes, allocations, state);
    node = childOf(node, who);
    add(node, bytes, allocations, state);
    for (const frame of frames) {
      node = childOf(node, nameOf(frame), frame);
      add(node, bytes, allocations, state);
    }
    node.stacks.push(stack);
  }
  sort(root);
  return root;
}

function newNode(name: string, frame?: Frame): FlameNode {
  const empty = { bytes: 0, allocations: 0, byState: new Map(), children: [], stacks: [] };
  return { name, ...(frame && { frame }), ...empty };
}

function childOf(parent: FlameNode, name: string, frame?: Frame): FlameNode {
  const same = parent.children.find(
    (child) =>
      child.name === name &&
      child.frame?.inlined === frame?.inlined &&
      child.frame?.module === frame?.module,
  );
  if (same) return same;
  const child = newNode(name, frame);
  parent.children.push(child);
  return child;
}

function add(node: FlameNode, bytes: number, allocations: number, state: State): void {
  node.bytes += bytes;
  node.allocations += allocations;
  node.byState.set(state, (node.byState.get(state) ?? 0) + bytes);
}

function sort(node: FlameNode): void {
  node.children.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  for (const child of node.children) sort(child);
}
