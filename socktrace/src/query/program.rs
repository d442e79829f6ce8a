//! A tree as a list of steps, each with the place where to go on: evaluated without recursion.

use super::check::Tree;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step<T> {
    /// What is asked.
    pub(super) leaf: T,
    /// Where to go on if it holds; always further on.
    pub(super) yes: Target,
    /// Where to go on if it does not.
    pub(super) no: Target,
}

/// Where to go on: a step, or one of two ends.
pub(super) type Target = u32;
/// The end that says: it passes.
pub(super) const PASS: Target = u32::MAX;
/// The end that says: it does not.
pub(super) const FAIL: Target = u32::MAX - 1;

/// Lays the tree out as steps. It begins at the first one; where there is none, at the end that is also returned,
/// and that is what the tree always says.
pub(super) fn steps<T: Clone>(tree: &Tree<T>) -> (Target, Vec<Step<T>>) {
    let mut program = Vec::new();
    let start = emit(tree, PASS, FAIL, &mut program);
    // Made from the end to the beginning, so that every target was known.
    program.reverse();
    let count = u32::try_from(program.len()).unwrap_or(FAIL);
    // A constant part leaves steps that nothing leads to; those at the beginning are dropped.
    let unused = if start >= FAIL { count } else { count - 1 - start };
    program.drain(..unused as usize);
    let turn = |target: Target| if target >= FAIL { target } else { count - 1 - target - unused };
    for step in &mut program {
        step.yes = turn(step.yes);
        step.no = turn(step.no);
    }
    (if start >= FAIL { start } else { 0 }, program)
}

fn emit<T: Clone>(tree: &Tree<T>, yes: Target, no: Target, program: &mut Vec<Step<T>>) -> Target {
    match tree {
        Tree::All(parts) => parts.iter().rev().fold(yes, |next, part| emit(part, next, no, program)),
        Tree::Any(parts) => parts.iter().rev().fold(no, |next, part| emit(part, yes, next, program)),
        Tree::Leaf(leaf) => {
            program.push(Step { leaf: leaf.clone(), yes, no });
            u32::try_from(program.len() - 1).unwrap_or(FAIL)
        }
    }
}

/// Runs the steps: whether the end is a pass.
pub(super) fn run<T>(start: Target, program: &[Step<T>], mut holds: impl FnMut(&T) -> bool) -> bool {
    let mut at = start;
    while let Some(step) = program.get(at as usize) {
        at = if holds(&step.leaf) { step.yes } else { step.no };
    }
    at == PASS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree() -> impl Strategy<Value = Tree<bool>> {
        any::<bool>().prop_map(Tree::Leaf).prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::All),
                prop::collection::vec(inner, 0..4).prop_map(Tree::Any),
            ]
        })
    }

    fn value(tree: &Tree<bool>) -> bool {
        match tree {
            Tree::All(parts) => parts.iter().all(value),
            Tree::Any(parts) => parts.iter().any(value),
            Tree::Leaf(leaf) => *leaf,
        }
    }

    proptest! {
        #[test]
        fn steps_give_the_value_of_the_tree(tree in tree()) {
            let (start, program) = steps(&tree);
            prop_assert_eq!(run(start, &program, |leaf| *leaf), value(&tree));
            prop_assert_eq!(start >= FAIL, program.is_empty());
            prop_assert!(start == 0 || start >= FAIL);
            for (at, step) in program.iter().enumerate() {
                prop_assert!(step.yes as usize > at && step.no as usize > at, "every step goes on");
            }
        }
    }
}
