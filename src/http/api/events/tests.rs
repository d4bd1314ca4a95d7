use forewarn_core::authority::{Authority, Role};

use super::*;

fn happened(position: u64, area: Option<u32>) -> Happened {
    let seen_in = area.map_or(Where::Service, |area| Where::Areas(vec![AreaIx(area)]));
    Happened { place: (position, 0), kind: Kind::Revision, seen_in, data: "null".into() }
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(0, CancellationToken::new()))
}

fn join(hub: &Arc<Hub>, after: Option<(u64, u32)>) -> Following {
    hub.follow("token-1", Authority { role: Role::Viewer, scope: Scope::Everywhere }, after, &Plan::default())
        .expect("there is room")
}

fn next(following: &mut Following) -> Option<Sent> {
    following.from.try_recv().ok()
}

#[tokio::test]
async fn a_slow_reader_is_told_so_and_dropped_and_no_other_is() {
    let hub = hub();
    let (mut slow, mut quick) = (join(&hub, None), join(&hub, None));
    for position in 1..=2 * WAITING_MAX as u64 {
        hub.tell(&[happened(position, None)], &Plan::default());
        assert!(matches!(next(&mut quick), Some(Sent::Happened(_))), "{position}");
    }
    let mut last = None;
    let mut count = 0;
    while let Some(sent) = next(&mut slow) {
        last = Some(sent);
        count += 1;
    }
    assert!(matches!(last, Some(Sent::Dropped)), "{last:?}");
    assert_eq!(count, WAITING_MAX);
    assert!(slow.from.is_closed());
}

#[tokio::test]
async fn who_comes_back_gets_what_is_kept_or_is_told_to_read_anew() {
    let hub = hub();
    let last = KEPT_MAX as u64 + 10;
    for position in 1..=last {
        hub.tell(&[happened(position, None)], &Plan::default());
    }
    let mut following = join(&hub, Some((last - 2, 0)));
    for expected in [last - 1, last] {
        let sent = next(&mut following);
        assert!(matches!(&sent, Some(Sent::Happened(it)) if it.place.0 == expected), "{sent:?}");
    }
    assert!(next(&mut following).is_none());
    assert!(matches!(next(&mut join(&hub, Some((9, 0)))), Some(Sent::Reset)));
    assert!(matches!(next(&mut join(&hub, Some((10, 0)))), Some(Sent::Happened(it)) if it.place.0 == 11));
}

#[tokio::test]
async fn what_stands_in_no_record_is_placed_after_all_that_does() {
    let hub = hub();
    hub.tell_now(Kind::Sensor, Where::Service, &Value::Null, &Plan::default());
    hub.tell(&[happened(5, None)], &Plan::default());
    hub.tell_now(Kind::Sensor, Where::Service, &Value::Null, &Plan::default());
    let places: Vec<(u64, u32)> = hub.lock().kept.iter().map(|it| it.place).collect();
    assert_eq!(places, [(0, FROM_THE_LOG_MAX + 1), (5, 0), (5, 1)]);
}

#[test]
fn an_id_reads_back() {
    for (text, expected) in
        [("7.2", Some((7, 2))), ("7", Some((7, u32::MAX))), ("", None), ("7.", None), ("-1", None)]
    {
        assert_eq!(read_place(text), expected, "{text:?}");
    }
}
