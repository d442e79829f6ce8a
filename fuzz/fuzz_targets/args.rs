//! The words of `socktrace ss`: any are read or refused, and a refusal has something to say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use socktrace::listing::words::parse;
use socktrace::api::screen::Screen;

fuzz_target!(|input: (Option<u16>, &str)| {
    let (screen, text) = input;
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    match parse(&words, screen.and_then(Screen::of)) {
        Ok(asked) => drop(format!("{asked:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
