//! What can be asked, as the query part of a URL. The words are those of the command line; the agent checks them.

use form_urlencoded::Serializer;

/// `/v1/sockets`: a listing, asked of the kernel now. The default is what `ss` lists without options: every kind of socket that
/// is connected.
///
/// ```
/// use socktrace_api::SocketsQuestion;
///
/// let question = SocketsQuestion { tables: vec!["tcp".into()], filter: Some("dport = :443".into()), ..Default::default() };
/// assert_eq!(question.to_query(), "tables=tcp&filter=dport+%3D+%3A443");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocketsQuestion {
    /// Kinds of sockets: `tcp`, `udp`, `unix` … ; all if there is none.
    pub tables: Vec<String>,
    /// `inet`, `inet6`, `unix`, `link` … ; all if there is none.
    pub families: Vec<String>,
    /// `established`, `listening`, `all` … ; what `ss` lists without options if there is none.
    pub states: Vec<String>,
    /// A filter expression.
    pub filter: Option<String>,
    /// What to add: `processes`, `extended`, `info`, `memory`, `timers`, `summary` …
    pub show: Vec<String>,
    /// Keys of the order, `-` before one for the other way round; the agent's own order if there is none.
    pub sort: Vec<String>,
    /// At most so many; all if it says nothing.
    pub top: Option<usize>,
    /// Keys to count by instead of listing; then the answer is of [`Count`](crate::Count).
    pub count_by: Vec<String>,
    /// The network namespace of that name beneath `/run/netns`; one's own if it says nothing.
    pub netns: Option<String>,
    /// Those of every network namespace.
    pub all_netns: bool,
}

impl SocketsQuestion {
    /// The query part of its URL.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        for (key, words) in [
            ("tables", &self.tables),
            ("families", &self.families),
            ("states", &self.states),
            ("show", &self.show),
            ("sort", &self.sort),
            ("count_by", &self.count_by),
        ] {
            list(&mut query, key, words);
        }
        query.extend_pairs(self.filter.iter().map(|filter| ("filter", filter)));
        query.extend_pairs(self.top.map(|top| ("top", top.to_string())));
        query.extend_pairs(self.netns.iter().map(|name| ("netns", name)));
        query.extend_pairs(self.all_netns.then_some(("all_netns", "1")));
        query.finish()
    }
}

/// `/v1/events`: what happens from now on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsQuestion {
    /// `bind`, `connect`, `close` … ; all but `state` if there is none.
    pub kinds: Vec<String>,
    /// Every TCP state change, too.
    pub states: bool,
    /// `tcp`, `udp`, `udplite`, `raw`, `icmp`, `unix`; all if there is none.
    pub protos: Vec<String>,
    /// `inet`, `inet6`, `unix`; all if there is none.
    pub families: Vec<String>,
    /// Of sockets that these processes opened, by their numbers where the agent is; of all if there is none.
    pub pids: Vec<u32>,
    /// Of sockets that processes of these names opened; of all if there is none.
    pub comms: Vec<String>,
    /// A filter expression.
    pub filter: Option<String>,
    /// End after so many; `lost` and `resync` are not counted.
    pub count: Option<u64>,
}

impl EventsQuestion {
    /// The query part of its URL.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        which(
            &mut query,
            &self.kinds,
            &self.protos,
            &self.families,
            &self.pids,
            &self.comms,
            self.filter.as_ref(),
        );
        query.extend_pairs(self.states.then_some(("states", "1")));
        query.extend_pairs(self.count.map(|count| ("count", count.to_string())));
        query.finish()
    }
}

/// `/v1/history`: closed sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuestion {
    /// Closed at this time or later: `10m` (ago), `14:05`, `2026-11-22T14:05:00Z`; from the beginning if it says nothing. Times
    /// without a zone are the agent's.
    pub since: Option<String>,
    /// Closed at this time or earlier, likewise; until now if it says nothing.
    pub until: Option<String>,
    /// Only what was recorded after the record of that number.
    pub after: Option<u64>,
    /// How they ended: `close`, `connect_failed`, `accept`; all if there is none.
    pub kinds: Vec<String>,
    /// As of [`EventsQuestion`].
    pub protos: Vec<String>,
    /// As of [`EventsQuestion`].
    pub families: Vec<String>,
    /// As of [`EventsQuestion`].
    pub pids: Vec<u32>,
    /// As of [`EventsQuestion`].
    pub comms: Vec<String>,
    /// A filter expression.
    pub filter: Option<String>,
    /// Columns of the order, `-` before one for the other way round; as they closed if there is none.
    pub sort: Vec<String>,
    /// At most so many; all if it says nothing.
    pub top: Option<usize>,
    /// Columns to count by instead of listing; then the answer is of [`Count`](crate::Count).
    pub count_by: Vec<String>,
}

impl HistoryQuestion {
    /// The query part of its URL.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        which(
            &mut query,
            &self.kinds,
            &self.protos,
            &self.families,
            &self.pids,
            &self.comms,
            self.filter.as_ref(),
        );
        query.extend_pairs(self.since.iter().map(|time| ("since", time)));
        query.extend_pairs(self.until.iter().map(|time| ("until", time)));
        query.extend_pairs(self.after.map(|after| ("after", after.to_string())));
        list(&mut query, "sort", &self.sort);
        query.extend_pairs(self.top.map(|top| ("top", top.to_string())));
        list(&mut query, "count_by", &self.count_by);
        query.finish()
    }
}

fn which(
    query: &mut Serializer<'_, String>,
    kinds: &[String],
    protos: &[String],
    families: &[String],
    pids: &[u32],
    comms: &[String],
    filter: Option<&String>,
) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    for (key, words) in [("kinds", kinds), ("proto", protos), ("family", families), ("pid", &pids)] {
        list(query, key, words);
    }
    // A name may have a comma in it.
    query.extend_pairs(comms.iter().map(|name| ("comm", name)));
    query.extend_pairs(filter.map(|filter| ("filter", filter)));
}

fn list(query: &mut Serializer<'_, String>, key: &str, words: &[String]) {
    if !words.is_empty() {
        query.append_pair(key, &words.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_query_of_a_url() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let sockets = SocketsQuestion {
            tables: words(&["tcp", "udp"]),
            states: words(&["all"]),
            show: words(&["processes"]),
            sort: words(&["-rtt"]),
            top: Some(3),
            netns: Some("a b".to_owned()),
            all_netns: true,
            ..SocketsQuestion::default()
        };
        assert_eq!(
            sockets.to_query(),
            "tables=tcp%2Cudp&states=all&show=processes&sort=-rtt&top=3&netns=a+b&all_netns=1"
        );
        let events = EventsQuestion {
            kinds: words(&["connect"]),
            comms: words(&["a,b", "c"]),
            pids: vec![1, 2],
            states: true,
            count: Some(9),
            ..EventsQuestion::default()
        };
        assert_eq!(events.to_query(), "kinds=connect&pid=1%2C2&comm=a%2Cb&comm=c&states=1&count=9");
        let history = HistoryQuestion {
            since: Some("10m".to_owned()),
            filter: Some("sport = :80".to_owned()),
            count_by: words(&["process"]),
            ..HistoryQuestion::default()
        };
        assert_eq!(history.to_query(), "filter=sport+%3D+%3A80&since=10m&count_by=process");
        assert_eq!(HistoryQuestion::default().to_query(), "");
    }
}
