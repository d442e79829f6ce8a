//! The tracer within another program: the sockets that there are, then every connection that comes or goes.
//!
//! `cargo run --example embed -- 'dport = :443'` as root; Ctrl-C ends it, and nothing of it stays in the kernel.

use socktrace::api::selection::Selection;
use socktrace::kernel::ebpf::Config;
use socktrace::runtime::Runtime;
use socktrace::runtime::values::Item;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let selection = Selection { filter: std::env::args().skip(1).collect(), ..Selection::default() };
    let runtime = Runtime::start(Config::default().ring_size).await?;
    // Before the snapshot, so that nothing is missing between the two.
    let mut events = runtime.events(&selection, 10_000).await?;
    println!("{} sockets", runtime.snapshot().await?.len());
    loop {
        let item = tokio::select! {
            item = events.next() => item,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match item {
            Some(Item::Event(event)) => {
                let socket = event.subject.map(|subject| (subject.proto, subject.local, subject.peer));
                println!("{} {socket:?}", event.kind.name());
            }
            Some(Item::Missed(events)) => println!("{events} events missed"),
            None => return Ok(()),
        }
    }
}
