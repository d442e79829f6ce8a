//! The memory of this process: how much it is, and what the allocator keeps although nobody uses it. I/O: /proc.

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

/// Memory that this process occupies, bytes; 0 where `/proc` does not say.
#[must_use]
pub fn resident() -> u64 {
    // The second number is resident pages (proc_pid_statm(5)).
    let pages = || std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    pages().unwrap_or(0) * u64::try_from(page).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_memory_is_occupied() {
        assert!(super::resident() > 100_000);
    }
}
