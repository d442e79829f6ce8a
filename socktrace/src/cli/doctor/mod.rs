//! `socktrace doctor`: what works here, what does not, why, and what to do about it.
//!
//! It tries instead of guessing: loads and attaches the programs, makes one connection to itself, detaches. It changes
//! nothing. What was found out is judged by pure functions.
//!
//! I/O: through `facts`; stdout; with `--report` that file.

mod facts;
mod finding;
mod forbidden;
mod hooks;
mod judge;
mod namespaces;
mod start;
mod trial;

use super::args::DoctorArgs;
use super::error::Error;
use super::output;
use finding::{Answer, Finding};
use serde_json::json;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Error> {
    let facts = facts::Facts::gather(args.agent.as_ref())?;
    let findings = judge::findings(&facts);
    let verdict = finding::verdict(&findings);
    let report = json!({
        "verdict": verdict.word(),
        "version": env!("CARGO_PKG_VERSION"),
        "kernel": facts.release,
        "machine": std::env::consts::ARCH,
        "started_by": facts.start.word(),
        "findings": findings,
    });
    if let Some(path) = &args.report {
        write_report(path, &report).map_err(|error| Error::Io("write the report", error))?;
    }
    let text = if args.json { format!("{report}\n") } else { lines(&findings, verdict, args.verbose) };
    output::write(text.as_bytes())?;
    Ok(verdict.exit_code())
}

/// A file that was not there before, for its owner alone.
fn write_report(path: &Path, report: &serde_json::Value) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{report:#}")
}

/// What is wrong, each with its remedy, and the verdict. Of what is fine only if it is asked for.
fn lines(findings: &[Finding], verdict: Answer, verbose: bool) -> String {
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| verbose || finding.answer != Answer::Ok) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:8}  {}: {}", finding.answer.word(), finding.id, finding.what);
        if let Some(lost) = &finding.lost_without {
            let _ = writeln!(text, "          lost without it: {lost}");
        }
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "          try: {remedy}");
        }
    }
    let count = |answer| findings.iter().filter(|finding| finding.answer == answer).count();
    let _ = match verdict {
        Answer::Ok => writeln!(text, "ok: everything works ({} checks)", findings.len()),
        Answer::Degraded => writeln!(text, "degraded: it works, but for {}", count(verdict)),
        Answer::Failed => {
            writeln!(text, "failed: it cannot trace ({} of {})", count(verdict), findings.len())
        }
        Answer::Unknown => writeln!(text, "unknown: {} could not be found out", count(verdict)),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fine_is_said_on_request_and_the_last_line_is_the_verdict() {
        let findings = [
            Finding::ok("kernel.btf", "readable"),
            Finding::degraded("hooks.functions", "operation not permitted")
                .lost("closes of UNIX sockets as they happen")
                .remedy("nothing: the host forbids it"),
        ];
        let text = |verbose| lines(&findings, finding::verdict(&findings), verbose);
        let expected = "\
degraded  hooks.functions: operation not permitted
          lost without it: closes of UNIX sockets as they happen
          try: nothing: the host forbids it
degraded: it works, but for 1
";
        assert_eq!(text(false), expected);
        assert_eq!(text(true), format!("ok        kernel.btf: readable\n{expected}"));
        assert_eq!(lines(&findings[..1], Answer::Ok, false), "ok: everything works (1 checks)\n");
    }
}
