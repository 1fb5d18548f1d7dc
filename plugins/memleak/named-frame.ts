import type { Frame } from '../../core/symbolize/frame.js';

/** Where a program's language allocates on its behalf: of no interest to who hunts a leak. */
const RUNTIME =
  /(^|\/)(libc|libstdc\+\+|libc\+\+|libc\+\+abi|ld-linux[^/]*|ld-musl[^/]*|libjemalloc|libtcmalloc[^/]*|libmimalloc)([-.][^/]*)?\.so/;
const ALLOCATOR =
  /^(operator new|__gnu_cxx::|std::|void\* std::|_?(__libc_)?(m|c|re)alloc|alloc::|__rust_|__rdl_|core::|<alloc::|<std::|xmalloc|xcalloc|xrealloc|xstrdup|g_malloc)/;

/**
 * The frame that people look for: the innermost that is neither a library's that allocates for
 * others nor an allocator's wrapper by its name; the innermost with a name if all are.
 */
export function namedFrame(frames: readonly Frame[]): Frame | undefined {
  const named = frames.filter((frame) => frame.function !== undefined);
  return (
    named.find(
      (frame) => !RUNTIME.test(frame.module ?? '') && !ALLOCATOR.test(frame.function ?? ''),
    ) ?? named[0]
  );
}
