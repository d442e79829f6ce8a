//! Words → tree: the grammar.

use super::address::split_family;
use super::context::{Context, Dialect};
use super::error::MAX_DEPTH;
use super::filter::{Filter, Span};
use super::lex::{Token, lex};
use super::states::leading;
use super::tree::{Expr, Op, Test};
use super::value::Reader;
use super::words::{Logic, Predicate, Word, logic, no_predicate, operator, predicate, reserved};
use super::{Names, ParseError, Problem};
use crate::socket::Family;
use crate::socket::state_names::public;

/// Reads an expression. No words at all give the empty filter, which passes everything.
///
/// # Errors
/// The first word that cannot be understood, or what is missing at the end.
pub fn parse(words: &[String], context: &Context, names: &dyn Names) -> Result<Filter, ParseError> {
    let tokens = lex(words)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end: words.len(),
        strict: context.dialect == Dialect::Strict,
        reader: Reader { context: *context, names },
        mixed: false,
        spans: Vec::new(),
    };
    if tokens.is_empty() {
        return Ok(Filter::default());
    }
    let Part { expr, .. } = parser.list(0)?;
    if let Some(token) = parser.peek() {
        // A list only ends at a closing parenthesis or at the end.
        return Err(error(token, Problem::Unopened));
    }
    let mut filter = Filter::from_expr(expr);
    (filter.mixed, filter.spans) = (parser.mixed, parser.spans);
    Ok(filter)
}

/// The words of a filter file: its lines, but those that begin with `#`. They follow the words of the command line.
#[must_use]
pub fn file_words(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

struct Parser<'a> {
    tokens: &'a [Token],
    /// The next token.
    at: usize,
    /// The number of words: where what is missing at the end is missing.
    end: usize,
    strict: bool,
    reader: Reader<'a>,
    /// Whether `and` and `or` stood beside each other.
    mixed: bool,
    /// Where each test so far stood.
    spans: Vec<Span>,
}

/// A part of an expression.
struct Part {
    expr: Expr,
    /// How deep its tree is.
    deep: usize,
    /// [`Expr::narrows_to`].
    family: Option<Family>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// An error at the token, or behind the last word if there is none.
    fn error_at(&self, token: Option<&Token>, problem: Problem) -> ParseError {
        match token {
            Some(token) => error(token, problem),
            None => ParseError { word: self.end, span: 0..0, problem },
        }
    }

    /// Terms joined by `and`, `or` or nothing, left to right, up to a closing parenthesis or the end.
    ///
    /// A family prefix holds for what follows (as in ss), but not beyond an `or` that begins a branch of another family.
    fn list(&mut self, depth: usize) -> Result<Part, ParseError> {
        let outer = self.reader.context.family;
        let Part { mut expr, mut deep, mut family } = self.first(depth)?;
        let mut last: Option<Logic> = None;
        let mut seen_or = false;
        while let Some(token) = self.peek() {
            let joint = match logic(&token.text).filter(|_| !token.quoted) {
                Some(Logic::Close) => break,
                Some(joint @ (Logic::And | Logic::Or)) => {
                    self.at += 1;
                    joint
                }
                Some(Logic::Not | Logic::Open) | None => Logic::And,
            };
            if joint == Logic::And && seen_or && self.strict {
                return Err(error(token, Problem::Mixed));
            }
            seen_or |= joint == Logic::Or;
            self.mixed |= last.is_some_and(|last| last != joint);
            if last != Some(joint) {
                deep += 1;
            }
            last = Some(joint);
            self.reader.context.family = if joint == Logic::Or { outer } else { family.or(outer) };
            let term = self.term(depth)?;
            deep = deep.max(term.deep + 1);
            if depth + deep > MAX_DEPTH {
                return Err(error(token, Problem::TooDeep));
            }
            (expr, family) = match joint {
                Logic::Or => (expr.or(term.expr), family.filter(|_| family == term.family)),
                Logic::And | Logic::Not | Logic::Open | Logic::Close => {
                    (expr.and(term.expr), term.family.or(family))
                }
            };
        }
        self.reader.context.family = family.or(outer);
        Ok(Part { expr, deep, family })
    }

    /// The first term of a list; state words at the very beginning are one.
    fn first(&mut self, depth: usize) -> Result<Part, ParseError> {
        if self.at > 0 {
            return self.term(depth);
        }
        let run = leading(self.tokens, self.end)?;
        let Some(states) = run.states else { return self.term(depth) };
        if states.is_empty() {
            return Err(self.error_at(self.tokens.get(run.taken - 1), Problem::NoState));
        }
        if let [name, value, ..] = self.tokens {
            let at = |token: &Token| (token.word, token.span.clone());
            self.spans.push(Span { name: at(name), value: at(value) });
        }
        self.at = run.taken;
        Ok(Part { expr: Expr::Test(Test::State(public(states))), deep: 1, family: None })
    }

    /// A list in parentheses, a negation, or a predicate.
    fn term(&mut self, depth: usize) -> Result<Part, ParseError> {
        let Some(token) = self.next() else {
            return Err(self.error_at(None, Problem::ExpectedTest));
        };
        if depth >= MAX_DEPTH {
            return Err(error(token, Problem::TooDeep));
        }
        match logic(&token.text).filter(|_| !token.quoted) {
            Some(Logic::Open) => {
                let inner = self.list(depth + 1)?;
                match self.next() {
                    Some(_) => Ok(Part { deep: inner.deep + 1, ..inner }),
                    None => Err(error(token, Problem::Unclosed)),
                }
            }
            Some(Logic::Not) => {
                let inner = self.term(depth + 1)?;
                Ok(Part { expr: inner.expr.negate(), deep: inner.deep + 1, ..inner })
            }
            Some(Logic::Close) if depth == 0 => Err(error(token, Problem::Unopened)),
            Some(Logic::Close | Logic::And | Logic::Or) => Err(error(token, Problem::ExpectedTest)),
            None => match predicate(&token.text) {
                Some(word) => {
                    let expr = self.predicate(word, token)?;
                    Ok(Part { family: expr.narrows_to(), expr, deep: 1 })
                }
                None => Err(error(token, no_predicate(&token.text))),
            },
        }
    }

    /// What follows a predicate word: an operator perhaps, and a value.
    fn predicate(&mut self, word: &Word, token: &Token) -> Result<Expr, ParseError> {
        let name = (token.word, token.span.clone());
        if word.predicate == Predicate::Autobound {
            self.spans.push(Span { value: name.clone(), name });
            return Ok(Expr::Test(Test::Autobound));
        }
        let operator_token = self.peek().filter(|token| operator(&token.text).is_some() && !token.quoted);
        let op = operator_token.and_then(|token| operator(&token.text));
        if op.is_some() {
            self.at += 1;
        }
        let op = op.unwrap_or(Op::Eq);
        if let (Some(token), false) = (operator_token, allows(word.predicate, op)) {
            return Err(error(token, Problem::OnlyEquality { field: word.name }));
        }
        let value = self.value(word)?;
        let expr = self.reader.read(word, op, &value)?;
        // There is at least one token.
        let first = value.first().map_or_else(|| name.clone(), |token| (token.word, token.span.clone()));
        let span = Span { name, value: first };
        expr.each_test(&mut |_| self.spans.push(span.clone()));
        Ok(expr)
    }

    /// The tokens of a value: one, or those of a list up to its closing brace.
    fn value(&mut self, word: &Word) -> Result<Vec<Token>, ParseError> {
        let missing = Problem::ExpectedValue { field: word.name, example: word.example };
        let Some(first) = self.peek() else {
            return Err(self.error_at(None, missing));
        };
        if reserved(&first.text) && !first.quoted {
            return Err(error(first, missing));
        }
        self.at += 1;
        let mut tokens = vec![first.clone()];
        if opens_list(word.predicate, &first.text) {
            let mut last = first;
            while !last.text.ends_with('}') {
                last = self.next().ok_or_else(|| error(first, Problem::BadList))?;
                tokens.push(last.clone());
            }
        }
        Ok(tokens)
    }
}

/// Whether a value begins with the brace of a list.
fn opens_list(predicate: Predicate, text: &str) -> bool {
    match predicate {
        Predicate::Port(_) => split_family(text).1.trim_start_matches(':').starts_with('{'),
        Predicate::Cgroup | Predicate::Mark | Predicate::Autobound => false,
        Predicate::Host(_)
        | Predicate::Number(_)
        | Predicate::Device
        | Predicate::Comm
        | Predicate::CgroupPart(_)
        | Predicate::Ending(_)
        | Predicate::State => text.starts_with('{'),
    }
}

/// Whether the operator makes sense there.
const fn allows(predicate: Predicate, op: Op) -> bool {
    use super::tree::Field;
    match predicate {
        Predicate::Port(_) => true,
        Predicate::Number(field) => match field {
            Field::Dev | Field::Netns | Field::Cookie => matches!(op, Op::Eq | Op::Ne),
            Field::Uid
            | Field::Inode
            | Field::Pid
            | Field::RecvQ
            | Field::SendQ
            | Field::Rtt
            | Field::Retrans
            | Field::Age => true,
        },
        Predicate::Host(_)
        | Predicate::Device
        | Predicate::Mark
        | Predicate::Cgroup
        | Predicate::Comm
        | Predicate::CgroupPart(_)
        | Predicate::Ending(_)
        | Predicate::State => matches!(op, Op::Eq | Op::Ne),
        Predicate::Autobound => false,
    }
}

pub(super) fn error(token: &Token, problem: Problem) -> ParseError {
    ParseError { word: token.word, span: token.span.clone(), problem }
}
