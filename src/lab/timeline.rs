//! What happened when: faults of the script, and what the gateway made of them, one line each.
//!
//! What a reader could get wrong: a line's time is when it was noticed; what is read from `/metrics` is noticed up to one look later than it happened.

use std::fmt;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The script: a simulated fault.
    Lab,
    Gateway,
    /// What clients saw.
    Clients,
}

/// Whether it is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Event {
    /// Since the timeline began.
    pub at: Duration,
    pub who: Who,
    pub tone: Tone,
    pub text: String,
}

type Tell = Box<dyn Fn(&Event) + Send + Sync>;

/// Events in the order in which they were noticed.
pub struct Timeline {
    began: Instant,
    events: Mutex<Vec<Event>>,
    tell: Tell,
}

impl Timeline {
    /// `tell` hears of each event at once.
    pub fn new(tell: impl Fn(&Event) + Send + Sync + 'static) -> Timeline {
        Timeline { began: Instant::now(), events: Mutex::default(), tell: Box::new(tell) }
    }

    pub fn add(&self, who: Who, tone: Tone, text: impl Into<String>) {
        let event = Event { at: self.began.elapsed(), who, tone, text: text.into() };
        (self.tell)(&event);
        self.events.lock().push(event);
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().clone()
    }
}

const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const SCRIPT: Style = AnsiColor::Yellow.on_default().bold();

/// With colours, which `anstream` takes out where there is no terminal.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.who {
            Who::Lab => "simulated",
            Who::Gateway => "gateway",
            Who::Clients => "clients",
        };
        let style = match (self.who, self.tone) {
            (Who::Lab, _) => SCRIPT,
            (_, Tone::Good) => GOOD,
            (_, Tone::Bad) => BAD,
            (_, Tone::Plain) => Style::new(),
        };
        let at = format!("{:.1} s", self.at.as_secs_f64());
        write!(f, "{FAINT}{at:>8}{FAINT:#}  {who:<10} {style}{}{style:#}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned() {
        let lines: Vec<String> = [(Who::Lab, "node 1 killed"), (Who::Gateway, "node 1 left")]
            .map(|(who, text)| {
                let at = Duration::from_millis(if who == Who::Lab { 900 } else { 12_340 });
                let event = Event { at, who, tone: Tone::Plain, text: text.into() };
                anstream::adapter::strip_str(&event.to_string()).to_string()
            })
            .to_vec();
        assert_eq!(lines, ["   0.9 s  simulated  node 1 killed", "  12.3 s  gateway    node 1 left"]);
    }
}
