//! The only room with doors to Linux: everything that the other rooms know of the kernel comes through here.

mod bpf_info;
pub mod bpf_maps;
pub mod capabilities;
pub mod cgroups;
pub mod clock;
pub mod credentials;
pub mod descriptors;
pub mod ebpf;
pub mod folder;
pub mod memory;
mod mounts;
pub mod netlink;
pub mod netns;
pub mod owners;
mod parallel;
pub mod peer;
pub mod priority;
pub mod procfs_net;
mod reason;
pub mod release;
pub mod resolver;
pub mod seccomp;
pub mod selinux;
pub mod sock_diag;
