import type { Frame } from '../../core/symbolize/frame.js';

/** Where a program's language allocates on its behalf: of no interest to who hunts a leak. */
const RUNTIME =
  /(^|\/)(libc|libstdc\+\+|libc\+\+|libc\+\+abi|ld-linux[^/]*|ld-musl[^/]*|libjemalloc|libtcmalloc[^/]*|libmimalloc|libjvm|libjava|libzip|libnio|libnet)([-.][^/]*)?\.so/;
/** C++'s and Rust's libraries, of which templates and generics are compiled into the program. */
const LIBRARY = /^(__gnu_cxx|std|alloc|core)::/;
/** Rust's allocator and what its library asks of it: `<u8 as alloc::…>`, `<System as …GlobalAlloc>::alloc`. */
const RUST = /^(__rustc::)?__(rust|rdl|rg)_|^<.* as (alloc::|.*\bGlobalAlloc>::)/;
/** CPython's allocator, and what grows its objects. */
const PYTHON =
  /^_*Py(Mem|Object)_(Raw)?(Malloc|Calloc|Realloc|GC_\w+)$|^_*PyMem_Raw\w+$|^(list_resize|dictresize|new_keys_object|_?PyType_(Generic)?Alloc\w*|_PyObject_(Malloc|Calloc|Realloc|New)\w*)$/;
/** What allocates by its usual name; Rust's implementations of traits begin with `<`. */
const ALLOCATOR =
  /^(operator new|<(alloc|core|std)::|__rust_|__rdl_|__rg_)|^_*(libc_)?(x|g_|xx|je_|tc_|mi_)?(malloc|calloc|realloc|reallocarray|memalign|strdup|strndup|aligned_alloc|posix_memalign|valloc|pvalloc)0?$/;

/**
 * The frame that people look for: the innermost that is neither a library's that allocates for
 * others nor an allocator's wrapper by its name; the innermost with a name if all are. Of a program that is
 * stripped its own frame is it, though it has no name: what has one then is who called it.
 */
export function namedFrame(frames: readonly Frame[]): Frame | undefined {
  const told = frames.filter((frame) => frame.function !== undefined || isOfProgram(frame));
  const own = told.filter((frame) => !isRuntime(frame) && !isGlue(frame));
  return own.find((frame) => !isOfVirtualMachine(frame)) ?? own[0] ?? told[0];
}

/** A program that runs others: of these are the names that people know, where they are told. */
const VIRTUAL_MACHINE = /(^|\/)(node|nodejs|electron|java|libnode\.so[^/]*)$/;
const isOfVirtualMachine = ({ module = '' }: Frame): boolean => VIRTUAL_MACHINE.test(module);

/** In code that is made at run time: what is nobody's program (HotSpot's and V8's names, Node's own code). */
const GLUE =
  /^(Interpreter|StubRoutines|Builtins_|Builtin:|Stub:|BytecodeHandler:|Handler:|I2C\/C2I|vtable |itable )| node:\w/;
const isGlue = ({ module = '', function: name = '' }: Frame): boolean =>
  !module.startsWith('/') && GLUE.test(name);

/** In a file that is no library. */
const isOfProgram = ({ module = '' }: Frame): boolean =>
  module.startsWith('/') && !/\.so(\.|$)/.test(module);

const isRuntime = ({ module = '', function: name = '' }: Frame): boolean =>
  RUNTIME.test(module) ||
  [ALLOCATOR, RUST, PYTHON].some((pattern) => pattern.test(name)) ||
  LIBRARY.test(qualified(name));

/**
 * `int*& std::vector<int*>::emplace_back<int*>(int*&&)` → `std::vector::emplace_back`: templates say
 * what they return.
 */
function qualified(name: string): string {
  let depth = 0;
  let word = '';
  for (const letter of name) {
    if (letter === '<') depth++;
    else if (letter === '>') depth = Math.max(0, depth - 1);
    else if (depth > 0) continue;
    else if (letter === '(') break;
    else if (letter === ' ' || letter === '*' || letter === '&') word = '';
    else word += letter;
  }
  return word;
}
