//! Writes the manual pages and the completions of the command line into a folder: `manual DIR`.
//!
//! What the options mean is said once, where clap reads them; this adds what a manual has besides.
//!
//! I/O: writes DIR/man/*.1, DIR/man/*.7 and DIR/completions/*.

mod markdown;

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_complete::env::Shells;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// Section, title and text of what every page ends with.
const COMMON: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "Done. Output that its reader did not want to the end counts as done."),
            ("1", "It failed; the reason is on standard error, and what to try."),
            ("2", "The command line or the filter was wrong; nothing was done."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("SOCKTRACE_SOCKET", "The agent's socket, unless an option names one."),
            ("SOCKTRACE_AGENT_USER", "User whose agent is believed, besides root's and one's own."),
            ("NO_COLOR", "If set and not empty, no colours."),
            ("TZ", "Time zone of times for people."),
            (
                "SOCKTRACE_COMPLETE",
                "Names the shell that asks for completions; set by the shell's own script.",
            ),
            ("RUST_LOG", "socktrace=debug says more on standard error."),
        ],
    ),
    (
        "FILES",
        &[
            ("/run/socktrace/agent.sock", "The agent's socket."),
            ("/var/lib/socktrace", "Closed sockets, where the packaged service keeps them."),
        ],
    ),
];

/// What a page names at its end.
const RELATED: &[(&str, &str)] = &[
    ("socktrace", "(1),"),
    ("socktrace-events", "(1),"),
    ("socktrace-ss", "(1),"),
    ("socktrace-agent", "(1),"),
    ("socktrace-history", "(1),"),
    ("socktrace-who", "(1),"),
    ("socktrace-problems", "(1),"),
    ("socktrace-status", "(1),"),
    ("socktrace-filter", "(7),"),
    ("ss", "(8)"),
];

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: manual DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    let mut command = socktrace::cli::definition();
    command.build();
    fs::write(man.join("socktrace.1"), page("socktrace", &command)?)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("socktrace-{}", sub.get_name());
        fs::write(man.join(format!("{name}.1")), page(&name, sub)?)?;
    }
    fs::write(man.join("socktrace-filter.7"), filter()?)?;
    for (shell, file) in [("bash", "socktrace.bash"), ("zsh", "_socktrace"), ("fish", "socktrace.fish")] {
        let shells = Shells::builtins();
        let shell =
            shells.completer(shell).ok_or_else(|| io::Error::other(format!("no completions for {shell}")))?;
        let mut file = fs::File::create(completions.join(file))?;
        shell.write_registration(
            socktrace::cli::COMPLETE,
            "socktrace",
            "socktrace",
            "socktrace",
            &mut file,
        )?;
    }
    Ok(())
}

fn page(name: &str, command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut head = head(name, "1", "User Commands");
    head.control("SH", ["NAME"]);
    head.text([roman(format!("{name} - {}", lower(&about)))]);
    head.to_writer(&mut page)?;
    if command.get_name() == "ss" {
        text_of_ss(&mut page)?;
    } else {
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (more, examples) = help.split_once("Examples:\n").unwrap_or((&help, ""));
        let mut roff = Roff::new();
        if !more.trim().is_empty() {
            roff.control("SH", ["NOTES"]);
            roff.text([roman(more.trim())]);
        }
        verbatim(&mut roff, "EXAMPLES", examples);
        roff.to_writer(&mut page)?;
    }
    let mut roff = Roff::new();
    for (title, terms) in COMMON {
        roff.control("SH", [*title]);
        for (term, text) in *terms {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    }
    related(&mut roff, name);
    roff.to_writer(&mut page)?;
    Ok(tidy(&String::from_utf8_lossy(&page)).into_bytes())
}

/// The document about filters.
fn filter() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut head = head("socktrace-filter", "7", "Miscellaneous");
    head.control("SH", ["NAME"]);
    head.text([roman("socktrace-filter - the language that says which sockets are meant")]);
    head.to_writer(&mut page)?;
    let document = include_str!("../../../docs/filter.md");
    markdown::roff_of(document).to_writer(&mut page)?;
    let mut roff = Roff::new();
    related(&mut roff, "socktrace-filter");
    roff.to_writer(&mut page)?;
    Ok(tidy(&String::from_utf8_lossy(&page)).into_bytes())
}

fn head(name: &str, section: &str, title: &str) -> Roff {
    let mut head = Roff::new();
    let version = concat!("socktrace ", env!("CARGO_PKG_VERSION"));
    head.control("TH", [&*name.to_uppercase(), section, &date(), version, title]);
    head
}

/// What else there is to read.
fn related(roff: &mut Roff, name: &str) {
    roff.control("SH", ["SEE ALSO"]);
    for (page, section) in RELATED.iter().filter(|(page, _)| *page != name) {
        roff.control("BR", [*page, section]);
    }
}

/// Day of the sources, so that two builds give the same bytes: SOURCE_DATE_EPOCH, or the day of the build.
fn date() -> String {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let at = said.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.unwrap_or_else(jiff::Timestamp::now).strftime("%Y-%m-%d").to_string()
}

/// Text lines of at most 78 bytes without blanks at their ends, but for what stays as it is.
fn tidy(page: &str) -> String {
    const WIDTH: usize = 78;
    let (mut tidy, mut kept) = (String::new(), false);
    for line in page.lines() {
        match line {
            ".nf" => kept = true,
            ".fi" => kept = false,
            _ => {}
        }
        if kept || line.starts_with('.') {
            tidy.push_str(line.trim_end());
            tidy.push('\n');
            continue;
        }
        let mut length = 0;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            // A line that began with a dot would be a macro.
            if length > 0 && length + 1 + word.len() > WIDTH && !word.starts_with(['.', '\'']) {
                tidy.push('\n');
                length = 0;
            } else if length > 0 {
                tidy.push(' ');
                length += 1;
            }
            tidy.push_str(word);
            length += word.len();
        }
        tidy.push('\n');
    }
    tidy
}

/// Its help has sections of its own, laid out in columns.
fn text_of_ss(page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    let help = socktrace::cli::SS_HELP;
    let (_, rest) = help.split_once("Usage: ").unwrap_or(("", help));
    let (usage, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(usage)]);
    let (options, examples) = rest.split_once("Examples:\n").unwrap_or((rest, ""));
    verbatim(&mut roff, "OPTIONS", options.trim_matches('\n'));
    verbatim(&mut roff, "EXAMPLES", examples);
    roff.to_writer(page)
}

/// A section whose lines stay as they are.
fn verbatim(roff: &mut Roff, title: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// As `whatis` has it: no capital but in an abbreviation.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
