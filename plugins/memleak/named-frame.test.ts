import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../core/symbolize/frame.js';
import { namedFrame } from './named-frame.js';

const frame = (name: string | undefined, module = '/usr/bin/program'): Frame => ({
  address: 1n,
  inlined: false,
  module,
  ...(name === undefined ? { lack: 'stripped' } : { function: name }),
});

const named = (...frames: readonly Frame[]) => namedFrame(frames)?.function;

test('what allocates on behalf of others is passed over', () => {
  const libstdcxx = '/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30';
  assert.equal(
    named(
      frame('operator new(unsigned long)', libstdcxx),
      frame('std::string::_M_create(unsigned long&, unsigned long)', libstdcxx),
      frame('Session::remember(char const*)'),
      frame('main'),
    ),
    'Session::remember(char const*)',
  );
  assert.equal(named(frame('strdup', '/lib/libc.so.6'), frame('read_name')), 'read_name');
  assert.equal(named(frame('xmalloc'), frame('new_node')), 'new_node');
});

test('what is inlined from a library counts as the library’s', () => {
  assert.equal(
    named(
      frame('std::__new_allocator<int>::allocate(unsigned long, void const*)'),
      frame('void std::vector<int>::_M_realloc_insert<int const&>(int const&)'),
      frame('int*& std::vector<int*>::emplace_back<int*>(int*&&)'),
      frame('grow(int)'),
    ),
    'grow(int)',
  );
});

test('a function of the program that is told of the library’s types is the program’s', () => {
  const own = 'Shop<int, std::string>::remember(std::string const&)';
  assert.equal(named(frame('operator new(unsigned long)'), frame(own)), own);
  const made = 'std::unique_ptr<Order> Shop::make<Order>(int)';
  assert.equal(named(frame('operator new(unsigned long)'), frame(made)), made);
});

test('a name that only begins like an allocator’s is the program’s own', () => {
  assert.equal(named(frame('mallocated_list_add'), frame('main')), 'mallocated_list_add');
});

test('without any of its own, the innermost that has a name', () => {
  const library = '/lib/libblob.so.1';
  assert.equal(named(frame(undefined, library), frame('malloc', '/lib/libc.so.6')), 'malloc');
  assert.equal(named(frame(undefined, library)), undefined);
});

test('a frame of a stripped program, and not who called it', () => {
  const own = frame(undefined);
  const start = frame('__libc_start_call_main', '/lib/x86_64-linux-gnu/libc.so.6');
  const copied = frame('strdup', '/lib/x86_64-linux-gnu/libc.so.6');
  assert.equal(namedFrame([copied, own, start]), own);
});

test('what Rust and CPython allocate by is passed over', () => {
  for (const name of [
    '<u8 as alloc::slice::hack::ConvertVec>::to_vec',
    '__rustc::__rdl_alloc',
    '<std::alloc::System as core::alloc::global::GlobalAlloc>::alloc',
    '_PyObject_Malloc',
    'PyMem_RawMalloc',
    'list_resize',
  ]) {
    assert.equal(named(frame(name), frame('shop::remember')), 'shop::remember', name);
  }
  const own = '<shop::Cart as core::iter::Iterator>::next';
  assert.equal(named(frame(own), frame('main')), own);
});
