//! The defaults of ss, row by row.

use super::*;

fn check(choose: impl FnOnce(&mut Choice), tables: &[Table], families: &[Family], states: StateSet) {
    let mut choice = Choice::default();
    choose(&mut choice);
    let selection = choice.finish();
    let families = families.iter().fold(FamilySet::EMPTY, |set, f| set.union(FamilySet::of(*f)));
    assert_eq!(
        (selection.tables, selection.families, selection.states),
        (TableSet::of(tables), families, states)
    );
}

#[test]
fn defaults_are_those_of_ss() {
    use Family::{Inet, Inet6, Netlink, Unix};
    const UNIX: [Table; 3] = [Table::UnixDgram, Table::UnixStream, Table::UnixSeqpacket];
    const INET: [Table; 6] = [Table::Tcp, Table::Mptcp, Table::Udp, Table::Dccp, Table::Sctp, Table::Raw];
    let established = StateSet::of(State::Established);

    assert_eq!(Choice::default().finish().tables, EVERYTHING);
    assert_eq!(Choice::default().finish().states, CONNECTED);
    check(|c| c.table(Table::Tcp), &[Table::Tcp], &[Inet, Inet6], CONNECTED);
    check(|c| c.table(Table::Udp), &[Table::Udp], &[Inet, Inet6], established);
    check(|c| c.family(Inet), &INET, &[Inet], CONNECTED);
    check(|c| c.family(Unix), &UNIX, &[Unix], CONNECTED);
    check(
        |c| {
            c.table(Table::Tcp);
            c.family(Unix);
        },
        &[Table::Tcp, UNIX[0], UNIX[1], UNIX[2]],
        &[Inet, Inet6, Unix],
        CONNECTED,
    );
    check(
        |c| {
            c.states(StateSet::ALL);
            c.family(Inet6);
            c.table(Table::Tcp);
        },
        &[Table::Tcp],
        &[Inet6],
        StateSet::ALL,
    );
    // With -A the connected states are the default, whatever the table.
    check(|c| c.query(&[Table::Netlink], true), &[Table::Netlink], &[Netlink], CONNECTED);
    check(
        |c| {
            c.table(Table::Udp);
            c.query(&[Table::Tcp], true);
        },
        &[Table::Tcp],
        &[Inet, Inet6],
        CONNECTED,
    );
    check(
        |c| {
            c.query(&INET, true);
            c.query(&[Table::Tcp], false);
        },
        &[Table::Mptcp, Table::Udp, Table::Dccp, Table::Sctp, Table::Raw],
        &[Inet, Inet6],
        CONNECTED,
    );
    check(|c| c.query(&[Table::Tcp], false), &[], &[], CONNECTED);
}
