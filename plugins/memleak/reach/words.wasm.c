/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The inner loop of the scan, for WebAssembly: which words of a piece of memory may be pointers. A word may be one if
 * bits 32 to 47 are in one of two ranges, which hold the regions of all blocks. No data, no stack, no calls:
 * so the object file needs no linker (words.ts).
 */
#include <wasm_simd128.h>

#define REGION 0xffff
#define LANES 4

static inline int in_ranges(unsigned region, unsigned low, unsigned low_span, unsigned high, unsigned high_span)
{
	return region - low <= low_span || region - high <= high_span;
}

static inline v128_t lanes_in_ranges(v128_t words, unsigned low, unsigned low_span, unsigned high, unsigned high_span)
{
	v128_t region = wasm_v128_and(words, wasm_i32x4_splat(REGION));
	v128_t below = wasm_i32x4_sub(region, wasm_i32x4_splat(low));
	v128_t above = wasm_i32x4_sub(region, wasm_i32x4_splat(high));

	return wasm_v128_or(wasm_u32x4_le(below, wasm_i32x4_splat(low_span)),
			    wasm_u32x4_le(above, wasm_i32x4_splat(high_span)));
}

/* Pointers at 4 bytes among words[from] to words[end - 1]: their places go to `found`. Gives how many. */
unsigned pointers(const unsigned *words, unsigned from, unsigned end, unsigned low, unsigned low_span,
		  unsigned high, unsigned high_span, unsigned *found)
{
	unsigned count = 0, n = from;

	for (; n + LANES < end; n += LANES) {
		v128_t lanes = lanes_in_ranges(wasm_v128_load(words + n + 1), low, low_span, high, high_span);

		if (!wasm_v128_any_true(lanes))
			continue;
		for (unsigned bits = wasm_i32x4_bitmask(lanes); bits; bits &= bits - 1)
			found[count++] = n + __builtin_ctz(bits);
	}
	for (; n + 1 < end; n++)
		if (in_ranges(words[n + 1] & REGION, low, low_span, high, high_span))
			found[count++] = n;
	return count;
}

/*
 * The same at 8 bytes, from an even place, of words that are a pointer XORed with another whose upper half is `key`. Of
 * two that are aligned alike the lower bits are gone; a small number has some. 0 is none.
 */
unsigned xored(const unsigned *words, unsigned from, unsigned end, unsigned low, unsigned low_span,
	       unsigned high, unsigned high_span, unsigned *found, unsigned key)
{
	unsigned count = 0, n = from;

	for (; n + LANES <= end; n += LANES) {
		v128_t pair = wasm_v128_load(words + n);
		v128_t keyed = wasm_v128_xor(pair, wasm_i32x4_splat(key));
		v128_t lanes = lanes_in_ranges(keyed, low, low_span, high, high_span);
		v128_t aligned = wasm_i32x4_eq(wasm_v128_and(pair, wasm_i32x4_splat(7)), wasm_i32x4_splat(0));
		unsigned bits = wasm_i32x4_bitmask(lanes) >> 1 & wasm_i32x4_bitmask(aligned) & 5;

		for (; bits; bits &= bits - 1) {
			unsigned at = n + __builtin_ctz(bits);

			if (words[at] | words[at + 1])
				found[count++] = at;
		}
	}
	for (; n + 1 < end; n += 2)
		if (!(words[n] & 7) && (words[n] | words[n + 1]) &&
		    in_ranges((words[n + 1] ^ key) & REGION, low, low_span, high, high_span))
			found[count++] = n;
	return count;
}
