//! How wide each column is.
//!
//! Widths of ss's columns are bytes, as ss counts them: scripts that cut them by position keep working.

use super::columns::Column;

/// As wide as the longest cell and its separator.
pub(super) fn compact(columns: &[&Column], widest: &[usize]) -> Vec<usize> {
    natural(columns, widest, usize::MAX)
}

/// Spread over a screen: as many columns on a line as fit, what is left of the line shared equally between them (the
/// remainder one each to the rightmost). A line is exactly as wide as the screen, so the terminal wraps by itself.
pub(super) fn spread(columns: &[&Column], widest: &[usize], screen: usize) -> Vec<usize> {
    let mut widths = natural(columns, widest, screen);
    let shown: Vec<usize> = (0..widths.len()).filter(|&index| widths[index] > 0).collect();
    let mut rest = shown.as_slice();
    while !rest.is_empty() {
        let mut total = 0;
        let fitting = rest
            .iter()
            .take_while(|&&index| {
                total += widths[index];
                total <= screen
            })
            .count();
        // A column is never wider than the screen, so at least one fits.
        let (line, after) = rest.split_at(fitting.max(1));
        rest = after;
        let spare = screen.saturating_sub(line.iter().map(|&index| widths[index]).sum());
        let (each, remainder) = (spare / line.len(), spare % line.len());
        for (position, &index) in line.iter().rev().enumerate() {
            widths[index] += each + usize::from(position < remainder);
        }
    }
    widths
}

fn natural(columns: &[&Column], widest: &[usize], limit: usize) -> Vec<usize> {
    let mut first = true;
    let mut widths = Vec::with_capacity(columns.len());
    for (column, &longest) in columns.iter().zip(widest) {
        let separator = if first || longest == 0 { 0 } else { column.separator.len() };
        let width = (longest + separator).min(limit);
        first &= width == 0;
        widths.push(width);
    }
    widths
}
