//! The allocator of the binary and its benchmarks: mimalloc, whose memory goes from
//! thread to thread at little cost. Its usual wrapper asks for each piece with its
//! alignment, and mimalloc then takes a long way for every size that is no power of
//! two, which nearly all are ([0088](../docs/decisions/0088-less-for-each-call.md)).

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys as mimalloc;

/// What every piece of memory is aligned to without being asked for. It is 16 from
/// 16 bytes on; hardly anything asks for more than 8.
const ALIGNED: usize = 8;

/// Memory of mimalloc.
pub(crate) struct Mimalloc;

#[allow(unsafe_code, reason = "an allocator is unsafe by nature")]
// SAFETY: mimalloc gives memory of the size and alignment asked for, or null, and
// aligns to a word where it is not asked for more. Every piece is freed and resized
// by the same mimalloc, which knows of each how it was made.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        // SAFETY: any size may be asked for, and alignments are powers of two.
        let memory = unsafe {
            match alignment {
                ..=ALIGNED => mimalloc::mi_malloc(size),
                _ => mimalloc::mi_malloc_aligned(size, alignment),
            }
        };
        memory.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        // SAFETY: as in `alloc`.
        let memory = unsafe {
            match alignment {
                ..=ALIGNED => mimalloc::mi_zalloc(size),
                _ => mimalloc::mi_zalloc_aligned(size, alignment),
            }
        };
        memory.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: the caller got it from here.
        unsafe { mimalloc::mi_free(memory.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (memory, alignment) = (memory.cast(), layout.align());
        // SAFETY: the caller got it from here, with this alignment.
        let memory = unsafe {
            match alignment {
                ..=ALIGNED => mimalloc::mi_realloc(memory, size),
                _ => mimalloc::mi_realloc_aligned(memory, size, alignment),
            }
        };
        memory.cast()
    }
}
