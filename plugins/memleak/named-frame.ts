import type { Frame } from '../../core/symbolize/frame.js';

/** Where a program's language allocates on its behalf: of no interest to who hunts a leak. */
const RUNTIME =
  /(^|\/)(libc|libstdc\+\+|libc\+\+|libc\+\+abi|ld-linux[^/]*|ld-musl[^/]*|libjemalloc|libtcmalloc[^/]*|libmimalloc)([-.][^/]*)?\.so/;
/** C++, of which templates are inlined into the program; Rust; and C's by their usual names. */
const ALLOCATOR =
  /^(operator new|(\w[\w:<>, ]*[*&]? )?(__gnu_cxx|std)::|<?(alloc|core|std)::|__rust_|__rdl_|__rg_)|^_*(libc_)?(x|g_|xx|je_|tc_|mi_)?(malloc|calloc|realloc|reallocarray|memalign|strdup|strndup|aligned_alloc|posix_memalign|valloc|pvalloc)0?$/;

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
