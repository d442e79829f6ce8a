//! `socktrace status`: how the running agent is doing.

use super::args::StatusArgs;
use super::error::Error;
use super::{output, runtime, source};
use crate::api::status::{FamilyStatus, HookState, Status};
use crate::client;
use std::fmt::Write as _;

pub(super) fn run(args: StatusArgs) -> Result<(), Error> {
    let agent = source::agent(args.agent.as_ref())?;
    let status = runtime()?.block_on(client::status(&agent))?;
    let text = if args.json { json(&status) } else { lines(&status) };
    output::write(text.as_bytes())
}

fn json(status: &Status) -> String {
    // Numbers and strings of our own: nothing that JSON could not hold.
    let mut text = serde_json::to_string(status).unwrap_or_default();
    text.push('\n');
    text
}

fn lines(status: &Status) -> String {
    let number =
        |number: Option<u64>| number.map_or_else(|| "not shown to you".to_owned(), |it| it.to_string());
    let mut text = format!(
        "sockets      {}\nevents seen  {}\nevents lost  {}\n",
        number(status.sockets),
        number(status.events_seen),
        status.events_lost
    );
    for (name, FamilyStatus { seen, delivered, lost }) in &status.families {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:10} {seen} seen, {delivered} delivered, {lost} lost");
    }
    let history = match (status.history_records, status.history_bytes) {
        (Some(records), Some(bytes)) => format!("{records} closed, {:.1} MB", bytes as f64 / 1e6),
        (records, _) => number(records),
    };
    let _ = write!(
        text,
        "resyncs      {}\naudits       {}, differences found: {}\nhistory      {history}\nuptime       {} s\nmemory       {:.1} MB\nseccomp      {}\nhooks\n",
        status.resyncs,
        status.audits,
        status.drift,
        status.uptime_s,
        status.rss_bytes as f64 / 1e6,
        if status.seccomp { "in place" } else { "missing: seccomp filters unavailable" },
    );
    let width = status.hooks.iter().map(|hook| hook.name.len()).max().unwrap_or(0);
    for hook in &status.hooks {
        // Writing to a string cannot fail.
        let _ = match hook.state {
            HookState::Attached => writeln!(text, "  {:width$}  attached", hook.name),
            HookState::Missing => writeln!(
                text,
                "  {:width$}  missing: {}; lost without it: {}",
                hook.name,
                hook.reason.as_deref().unwrap_or("not known"),
                hook.lost_without.as_deref().unwrap_or("not known"),
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::Hook;

    #[test]
    fn for_people() {
        let hook = |name: &str, state, reason: Option<&str>| Hook {
            name: name.into(),
            required: false,
            state,
            reason: reason.map(Into::into),
            lost_without: reason.map(|_| "owners of UDP sockets".into()),
        };
        let status = Status {
            sockets: Some(12),
            events_seen: Some(345),
            events_lost: 0,
            skipped: 0,
            families: [("state".to_owned(), FamilyStatus { seen: 300, delivered: 300, lost: 0 })].into(),
            resyncs: 1,
            audits: 2,
            drift: 0,
            history_records: Some(99),
            history_bytes: Some(4_400_000),
            hooks: vec![
                hook("tp_btf/inet_sock_set_state", HookState::Attached, None),
                hook("cgroup/sock_create", HookState::Missing, Some("no cgroup2 mount")),
            ],
            seccomp: true,
            uptime_s: 61,
            rss_bytes: 12_345_678,
        };
        assert_eq!(
            lines(&status),
            "\
sockets      12
events seen  345
events lost  0
  state      300 seen, 300 delivered, 0 lost
resyncs      1
audits       2, differences found: 0
history      99 closed, 4.4 MB
uptime       61 s
memory       12.3 MB
seccomp      in place
hooks
  tp_btf/inet_sock_set_state  attached
  cgroup/sock_create          missing: no cgroup2 mount; lost without it: owners of UDP sockets
"
        );
        assert_eq!(json(&status).matches('\n').count(), 1);
    }
}
