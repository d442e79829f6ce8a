//! What the allocator keeps although nobody uses it. I/O: none but the memory of this process.

/// Gives unused memory back to the system. For a process that lives long, after it has used much for a moment: loading
/// the programs takes some 15 MB for the kernel's types, of which nothing is needed afterwards.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and the allocator locks itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keep large blocks apart from the heap however often they are freed, so that they go back to the system at once
/// (mallopt(3), `M_MMAP_THRESHOLD`: by default the limit rises with each one that is freed).
pub fn keep_large_blocks_apart() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes numbers, and the allocator locks itself.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}
