//! The `bursar` binary. Parses nothing itself; `cli` does.

use std::process::ExitCode;

mod allocator;

// glibc's cross-thread frees cost a decision five times as much.
#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;

fn main() -> ExitCode {
    bursar::cli::args::main()
}

#[cfg(test)]
mod tests {
    /// Sizes up to what is no small piece any more, whose ways are others.
    const SIZES: std::ops::Range<usize> = 1..5000;

    #[test]
    fn memory_is_aligned_as_it_was_asked_for_and_kept_when_it_is_resized() {
        use std::alloc::{GlobalAlloc, Layout};

        let ours = &super::ALLOCATOR;
        for (size, alignment) in SIZES.flat_map(|size| [1, 2, 8, 16, 64].map(|a| (size, a))) {
            let layout = Layout::from_size_align(size, alignment).expect("a layout");
            let larger = Layout::from_size_align(size * 2, alignment).expect("a layout");
            #[allow(unsafe_code, reason = "an allocator is unsafe by nature")]
            // SAFETY: sizes are not 0, and what is written and read was asked for.
            unsafe {
                let zeroed = ours.alloc_zeroed(layout);
                let last = zeroed.add(size - 1);
                assert_eq!((zeroed.addr() % alignment, zeroed.read(), last.read()), (0, 0, 0));
                last.write(7);
                let resized = ours.realloc(zeroed, layout, size * 2);
                assert_eq!((resized.addr() % alignment, resized.add(size - 1).read()), (0, 7));
                let other = ours.alloc(layout);
                assert_eq!(other.addr() % alignment, 0);
                ours.dealloc(other, layout);
                ours.dealloc(resized, larger);
            }
        }
    }
}
