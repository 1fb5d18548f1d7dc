/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What a hook knows of a request for pages, and what follows from its flags.
 */
#pragma once

#include "paf.h"

/* What the kernel writes for a perf event of mm_page_alloc. */
struct trace_event_raw_mm_page_alloc {
	unsigned long pfn;
	unsigned int order;
	unsigned long gfp_flags; /* 4 bytes before 5.18: loaded in the width that the kernel has */
	int migratetype;
} __attribute__((preserve_access_index));

/* Its number where there is no page; 0 is a page that some machines have. */
#define NO_PAGE -1UL

struct request {
	__u32 gfp; /* as the allocator used them last */
	__u32 order;
	__u32 migrate_type;
	__u32 known;	 /* enum paf_known */
	__u32 requested; /* as the caller passed them */
	__u32 alloc_flags;
	__u32 node;
};

/* include/linux/gfp_types.h: where the zone and the mobility of a request are, the same since 2.6.
 * (Other bits have moved: user space knows the running kernel's.) */
#define GFP_DMA 0x01
#define GFP_HIGHMEM 0x02
#define GFP_DMA32 0x04
#define GFP_MOVABLE 0x08
#define GFP_RECLAIMABLE 0x10
#define GFP_MOVABLE_SHIFT 3

/* gfp_migratetype(): what the mask asks for. The allocator takes `unmovable` for all where there is
 * too little memory to group pages at all, a few MB. */
static __always_inline __u32 migrate_type_of(__u32 gfp)
{
	return (gfp & (GFP_MOVABLE | GFP_RECLAIMABLE)) >> GFP_MOVABLE_SHIFT;
}

#define ZONE_INDEX(zone, otherwise)                              \
	(bpf_core_enum_value_exists(enum zone_type, zone) ?      \
		 (__u32)bpf_core_enum_value(enum zone_type, zone) : \
		 (otherwise))

/* gfp_zone(): index of the highest zone that the request may use. A zone that the kernel was built
 * without is stood for by ZONE_NORMAL. */
static __always_inline __u32 highest_zone_of(__u32 gfp)
{
	const __u32 normal = ZONE_INDEX(ZONE_NORMAL, 0);

	if (gfp & GFP_DMA)
		return ZONE_INDEX(ZONE_DMA, normal);
	if (gfp & GFP_DMA32)
		return ZONE_INDEX(ZONE_DMA32, normal);
	if (!(gfp & GFP_HIGHMEM))
		return normal;
	if (gfp & GFP_MOVABLE)
		return ZONE_INDEX(ZONE_MOVABLE, normal);
	return ZONE_INDEX(ZONE_HIGHMEM, normal);
}
