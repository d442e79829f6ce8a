//! A document as a page of the manual: what our documents use of Markdown, and nothing more.
//!
//! Text in, roff out; nothing is read here.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// The sections of a document. Its title and what comes before the first section become DESCRIPTION.
pub(crate) fn roff_of(document: &str) -> Roff {
    let mut roff = Roff::new();
    let mut lines = document.lines().skip_while(|line| line.starts_with("# ") || line.is_empty()).peekable();
    roff.control("SH", ["DESCRIPTION"]);
    // A paragraph is begun by its section too.
    let mut begun = true;
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let was_begun = std::mem::replace(&mut begun, line.starts_with('#'));
        if let Some(title) = line.strip_prefix("## ") {
            roff.control("SH", [&*plain(title).to_uppercase()]);
        } else if let Some(title) = line.strip_prefix("### ") {
            roff.control("SS", [&*plain(title)]);
        } else if line.starts_with("```") {
            if !was_begun {
                roff.control("PP", []);
            }
            roff.control("nf", []);
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                roff.text([roman(line)]);
            }
            roff.control("fi", []);
        } else if line.starts_with('|') {
            let is_row = |line: &&str| line.starts_with('|');
            // The row of names is followed by one of dashes.
            let names = cells(line);
            lines.next_if(is_row);
            while let Some(row) = lines.next_if(is_row) {
                table_row(&mut roff, &names, &cells(row));
            }
        } else {
            let item = line.strip_prefix("- ");
            let mut text = item.unwrap_or(line).to_owned();
            let goes_on = |next: &&str| {
                !next.is_empty() && !["- ", "|", "```", "#"].iter().any(|begin| next.starts_with(begin))
            };
            while let Some(next) = lines.next_if(goes_on) {
                text.push(' ');
                text.push_str(next.trim_start());
            }
            match item {
                Some(_) => roff.control("IP", ["-", "2"]),
                None if was_begun => &mut roff,
                None => roff.control("PP", []),
            };
            roff.text(inlines(&text));
        }
    }
    roff
}

/// What the first column names, and below it what the others say: with their names if they are several.
fn table_row(roff: &mut Roff, names: &[String], cells: &[String]) {
    let (term, rest) = cells.split_first().map_or(("", &[][..]), |(term, rest)| (&**term, rest));
    let said = |(name, cell): (&String, &String)| match names.len() {
        0..=2 => cell.clone(),
        _ => format!("{name}: {cell}"),
    };
    let said: Vec<String> = names.iter().skip(1).zip(rest).map(said).collect();
    roff.control("TP", []);
    roff.text(inlines(term));
    roff.text(inlines(&said.join("; ")));
}

fn cells(row: &str) -> Vec<String> {
    let row = row.replace("\\|", "\u{1}");
    row.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// Code and what is stressed is bold; of a link its words stay.
fn inlines(text: &str) -> Vec<Inline> {
    let mut parts = Vec::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 {
            parts.push(bold(part));
            continue;
        }
        for (number, part) in unlinked(part).split("**").enumerate() {
            if !part.is_empty() {
                parts.push(if number % 2 == 1 { bold(part) } else { roman(part) });
            }
        }
    }
    parts
}

fn plain(text: &str) -> String {
    unlinked(text).replace(['`', '*'], "")
}

/// `[words](target)` is `words`.
fn unlinked(text: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("](") {
        let Some(((start, words), (_, after))) = before.rsplit_once('[').zip(after.split_once(')')) else {
            break;
        };
        done.push_str(start);
        done.push_str(words);
        rest = after;
    }
    done.push_str(rest);
    done
}
