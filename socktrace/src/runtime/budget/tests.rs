//! Limits that are met, by one user and by many.

use super::*;
use futures_util::FutureExt as _;
use std::sync::atomic::Ordering::Relaxed;

const fn user(uid: u32) -> Viewer {
    Viewer::user(uid, 1)
}

fn budget() -> Budget {
    Budget::new(Limits::for_descriptors(1 << 20))
}

#[test]
fn a_user_cannot_take_the_connections_of_others() {
    let budget = budget();
    let Limits { user: one, users: all, own, .. } = budget.0.limits;
    let connect = |viewer| budget.account(viewer).take(Resource::Connections, 1);
    let mut kept: Vec<_> = (0..one.connections).map(|_| connect(user(1000)).unwrap()).collect();
    let refused = connect(user(1000)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "your user has as many connections to the agent as one may have (128): close some"
    );
    // Strangers on many user ids take all that strangers may have, and none of what is kept.
    let others = (1001..).flat_map(|uid| (0..one.connections).map(move |_| user(uid)));
    kept.extend(others.take(all.connections - one.connections).map(|viewer| connect(viewer).unwrap()));
    let refused = connect(user(5000)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ordinary users have as many connections to the agent as they may have together (512): try again later"
    );
    let roots: Vec<_> = (0..own.connections).map(|_| connect(Viewer::Own).unwrap()).collect();
    assert!(matches!(connect(Viewer::Own), Err(Over::Own { .. })));
    // What is given back can be had again, and nothing is kept of users who are gone.
    kept.pop();
    drop(connect(user(5000)).unwrap());
    drop((kept, roots));
    for state in [&budget.0.own, &budget.0.users] {
        assert_eq!(state.taken(Resource::Connections).load(Relaxed), 0);
    }
    for uid in 0..100 {
        let _ = budget.account(user(uid));
    }
    assert_eq!(budget.0.each.lock().unwrap().len(), 1);
}

#[test]
fn fewer_descriptors_leave_room_for_root_too() {
    for (descriptors, expected) in
        [(1 << 20, [128, 512, 1024]), (1024, [64, 256, 512]), (256, [16, 64, 128]), (0, [1, 1, 1])]
    {
        let limits = Limits::for_descriptors(descriptors);
        assert_eq!([limits.user, limits.users, limits.own].map(|most| most.connections), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_works_for_long_lets_others_work() {
    let budget = budget();
    let Limits { user: one, users: all, .. } = budget.0.limits;
    let permit = async |viewer| budget.account(viewer).permit().await;
    let mut kept = Vec::new();
    for _ in 0..one.work {
        kept.push(permit(user(70_000)).await.unwrap());
    }
    let mut next = Box::pin(permit(user(70_000)));
    assert!(next.as_mut().now_or_never().is_none());
    kept.push(permit(user(70_001)).await.unwrap());
    drop(permit(Viewer::Own).await.unwrap());
    // The one who waits is next, as soon as a permit is free.
    drop(kept.remove(0));
    kept.push(next.await.unwrap());
    // Many users have all that users may have; root has its own.
    for uid in 0..u32::try_from(all.work - kept.len()).unwrap() {
        kept.push(permit(user(uid)).await.unwrap());
    }
    drop(permit(Viewer::Own).await.unwrap());
    let refused = permit(user(70_002)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the agent is busy with the questions of your user, or of other ordinary users: none of them was answered \
         within 10 s"
    );
    drop(kept);
    permit(user(70_002)).await.unwrap();
}

#[test]
fn who_reads_has_room_although_others_do_not_read() {
    let budget = budget();
    let Limits { user: one, users: all, .. } = budget.0.limits;
    const PIECE: usize = Room::FREE;
    let fill = |uid| {
        let room = budget.account(user(uid)).room();
        while room.take(PIECE) {}
        room
    };
    let first = fill(1000);
    assert_eq!(budget.account(user(1000)).taken(Resource::Bytes), one.bytes);
    let rooms: Vec<_> = (1001..).take(all.bytes / one.bytes - 1).map(fill).collect();
    // All that users have together is taken: a piece at a time is granted nevertheless.
    let room = budget.account(user(5000)).room();
    for _ in 0..10 {
        assert!(room.take(PIECE / 2) && room.take(PIECE / 2));
        assert!(!room.take(1));
        room.give(PIECE);
    }
    let own = budget.account(Viewer::Own).room();
    assert!(own.take(100 * PIECE));
    first.give(PIECE);
    drop((first, rooms, room, own));
    for state in [&budget.0.own, &budget.0.users] {
        assert_eq!(state.taken(Resource::Bytes).load(Relaxed), 0);
    }
}
