//! `socktrace events`: the live stream, from an agent or from this process itself; the same bytes either way.

use super::args::EventsArgs;
use super::error::Error;
use super::source::Source;
use super::{output, ring_size, runtime, select, stderr};
use crate::api::columns::Columns;
use crate::api::selection::{Format, Selection};
use crate::client::{self, Answer, ClientError};
use crate::kernel::owners::in_initial_pid_namespace;
use crate::listing::absent;
use crate::runtime::Runtime;
use crate::runtime::budget::{Budget, Limits};
use crate::runtime::interest::{Told, columns, interest, judge, names, resolve};
use crate::runtime::shutdown::Shutdown;
use crate::runtime::stop::Stop;
use crate::runtime::stream::EventStream;
use crate::runtime::time;
use crate::socket::Viewer;
use bytes::Bytes;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

/// A stream without events for so long has reported what happened before: the record buffer is read at least every 10 ms.
const PAUSE: Duration = Duration::from_millis(50);

/// Said to whoever chooses events by number in a pid namespace of their own.
const FOREIGN_PIDS: &str = "events have the numbers of processes in the initial pid namespace, and this is another one: \
                            choose by those, or by --comm";

pub(super) fn run(args: EventsArgs) -> Result<(), Error> {
    let mut selection = selection(&args);
    // Said here and not by an agent, so that the words of a bad filter are ours to point at.
    let names = names(Viewer::Own, &Stop::default()).others_answer();
    let interest = interest(&selection, Viewer::Own, &names).map_err(Error::Selection)?;
    let mut warnings = judge(&selection, &interest, Told::Live).map_err(Error::Selection)?;
    resolve(&mut selection, &interest, &names);
    let pids: Vec<u32> = selection.pids.iter().copied().chain(interest.filter.pids()).collect();
    // Ours are no others than the kernel's in its first pid namespace only.
    if pids.is_empty() || in_initial_pid_namespace() {
        warnings.extend(absent(pids));
    } else {
        warnings.push(FOREIGN_PIDS.to_owned());
    }
    let columns = columns(&args.columns, Columns::default()).map_err(Error::Selection)?;
    let format = if args.json.is_some() {
        Format::Json
    } else {
        Format::Lines { style: output::style(columns, args.numeric), utc_offset_s: time::local_offset_s() }
    };
    runtime()?.block_on(async {
        let mut shutdown = Shutdown::listen().map_err(|error| Error::Io("catch signals", error))?;
        let mut stream = Stream::open(&args, &selection, format).await?;
        stderr::warn(&warnings);
        stderr::say(format_args!("socktrace: tracing"));
        copy(&mut stream, &mut shutdown, &args).await
    })
}

/// Copies the stream to standard output until it ends, or time is up, or we are asked to end, or nobody reads.
async fn copy(stream: &mut Stream, shutdown: &mut Shutdown, args: &EventsArgs) -> Result<(), Error> {
    let mut reader_gone = pin!(output::reader_gone());
    let mut time_is_up = pin!(async {
        match args.for_time {
            Some(duration) => tokio::time::sleep(duration).await,
            None => pending().await,
        }
    });
    loop {
        tokio::select! {
            piece = stream.next() => match piece? {
                Some(piece) => output::write(&piece)?,
                None => return stream.end(args.count.is_some()),
            },
            () = &mut reader_gone => return Ok(()),
            () = &mut time_is_up => break,
            () = shutdown.asked() => break,
        }
    }
    linger(stream, shutdown).await
}

/// Copies what has happened already. The second request to end is obeyed at once, and a stream that never
/// pauses is not waited for.
async fn linger(stream: &mut Stream, shutdown: &mut Shutdown) -> Result<(), Error> {
    let mut enough = pin!(tokio::time::sleep(10 * PAUSE));
    loop {
        tokio::select! {
            piece = tokio::time::timeout(PAUSE, stream.next()) => match piece {
                Ok(piece) => match piece? {
                    Some(piece) => output::write(&piece)?,
                    None => return Ok(()),
                },
                Err(_) => return Ok(()),
            },
            () = &mut enough => return Ok(()),
            () = shutdown.asked() => return Ok(()),
        }
    }
}

/// Events, wherever they come from.
enum Stream {
    Agent(Answer),
    Local {
        events: EventStream,
        /// What makes them; it ends with the stream.
        _runtime: Runtime,
    },
}

impl Stream {
    async fn open(args: &EventsArgs, selection: &Selection, format: Format) -> Result<Self, Error> {
        match Source::new(&args.source)? {
            Source::Direct => Self::local(args, selection, format).await,
            Source::Agent(agent) => Ok(Self::of_agent(client::events(&agent, selection, format).await?)),
            Source::Either(agent) => match client::events(&agent, selection, format).await {
                Ok(answer) => Ok(Self::of_agent(answer)),
                Err(error @ ClientError::Stranger { .. }) => {
                    stderr::say(format_args!("socktrace: {error}: not using it"));
                    Self::local(args, selection, format).await
                }
                Err(ClientError::Absent { .. }) => Self::local(args, selection, format).await,
                Err(error) => Err(error.into()),
            },
        }
    }

    /// What it does not show us is said.
    fn of_agent(answer: Answer) -> Self {
        stderr::say_limits(&answer);
        Self::Agent(answer)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Agent(answer) => Ok(answer.next().await?),
            Self::Local { events, .. } => Ok(events.next().await),
        }
    }
}

impl Stream {
    async fn local(args: &EventsArgs, selection: &Selection, format: Format) -> Result<Self, Error> {
        let local = Runtime::start(ring_size(args.ring_size)).await?;
        let interest = interest(selection, Viewer::Own, &names(Viewer::Own, &Stop::default()))?;
        let room = Budget::new(Limits::for_descriptors(u64::MAX)).account(Viewer::Own).room();
        let events = local.asker().lines(interest, format, selection.count, room).await?;
        Ok(Self::Local { events, _runtime: local })
    }

    /// The stream has ended by itself.
    fn end(&self, count_was_given: bool) -> Result<(), Error> {
        match self {
            _ if count_was_given => Ok(()),
            Self::Agent(_) => Err(Error::Ended("the agent has ended")),
            Self::Local { .. } => Err(Error::Ended("cannot read the kernel's records any more")),
        }
    }
}

/// The options' meaning, in the words of the agent's API.
fn selection(args: &EventsArgs) -> Selection {
    Selection {
        kinds: args.kinds.clone(),
        states: args.states,
        count: args.count,
        ..select::selection(&args.which)
    }
}
