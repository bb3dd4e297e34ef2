//! The messages between the workers of several tabs, of which one has the model on the GPU (the host) and answers for the
//! others (the guests). They travel as JSON strings over a `BroadcastChannel` of the model.

use serde::{Deserialize, Serialize};

use crate::protocol::{FromWorker, Loaded, RunId, ToWorker, VERSION};

/// What a worker says to those of other tabs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Between {
    /// A guest wants to know whether the model is ready.
    Knock,
    /// The host has the model on the GPU; to all guests, who ask again what was not answered.
    Ready {
        /// Names the host; another one was asked nothing yet.
        host: String,
        /// How it got there and what it takes.
        model: Loaded,
    },
    /// The model was deleted from this device; to all guests.
    Deleted,
    /// A guest asks, or stops what it has asked.
    Ask {
        /// Names the guest in the answers.
        guest: String,
        /// The question.
        question: ToWorker,
    },
    /// The host answers.
    Answer {
        /// The guest.
        guest: String,
        /// What a worker tells its page of a run.
        answer: FromWorker,
    },
}

/// Name of a model's channel, and of the lock that its host has. Tabs of other versions of the page are none of this one's.
pub fn channel_name(model: &str) -> String {
    format!("hangtag.model.{VERSION}.{model}")
}

/// The questions of a guest that are not answered yet.
#[derive(Debug, Clone, Default)]
pub struct Open(Vec<ToWorker>);

impl Open {
    /// Notes a question; a wish to stop takes back those that it stops.
    pub fn asked(&mut self, question: &ToWorker) {
        match question {
            ToWorker::Stop { run } => self.0.retain(|open| run_of(open) > Some(*run)),
            _ => self.0.push(question.clone()),
        }
    }

    /// Notes an answer; whether it is one to an open question, and not a late one to what was asked of another host.
    pub fn heard(&mut self, answer: &FromWorker) -> bool {
        let (run, is_last) = match answer {
            FromWorker::Running { run, .. }
            | FromWorker::Row { run, .. }
            | FromWorker::Measuring { run, .. } => (*run, false),
            FromWorker::Finished { run, .. }
            | FromWorker::Part { run, .. }
            | FromWorker::Measured { run, .. }
            | FromWorker::Stopped { run }
            | FromWorker::Failed { run: Some(run), .. } => (*run, true),
            _ => return false,
        };
        let is_open = self.0.iter().any(|open| run_of(open) == Some(run));
        if is_last {
            self.0.retain(|open| run_of(open) != Some(run));
        }
        is_open
    }

    /// The questions, in their order.
    pub fn all(&self) -> &[ToWorker] {
        &self.0
    }
}

/// The run that a question names.
pub fn run_of(question: &ToWorker) -> Option<RunId> {
    match question {
        ToWorker::Extract { run, .. }
        | ToWorker::ExtractPart { run, .. }
        | ToWorker::Measure { run }
        | ToWorker::Stop { run } => Some(*run),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RunStep;

    fn question(run: u32) -> ToWorker {
        ToWorker::ExtractPart { run, texts: vec!["a lamp".into()], features: vec![] }
    }

    #[test]
    fn what_is_not_answered_stays_open() {
        let mut open = Open::default();
        (1..=3).for_each(|run| open.asked(&question(run)));
        assert!(open.heard(&FromWorker::Running { run: 1, step: RunStep::Started }));
        assert!(open.heard(&FromWorker::Part { run: 1, results: vec![] }));
        assert_eq!(open.all(), [question(2), question(3)]);
        assert!(!open.heard(&FromWorker::Part { run: 1, results: vec![] }), "it came twice");
        open.asked(&ToWorker::Stop { run: 2 });
        assert_eq!(open.all(), [question(3)]);
        assert!(!open.heard(&FromWorker::Forgotten), "that is the host's own");

        open.asked(&ToWorker::Measure { run: 4 });
        assert!(open.heard(&FromWorker::Measuring { run: 4, done: 1, total: 9 }));
        assert_eq!(open.all().len(), 2);
        assert!(open.heard(&FromWorker::Stopped { run: 4 }));
        assert_eq!(open.all(), [question(3)]);
    }

    #[test]
    fn messages_survive_the_way() {
        let ask = Between::Ask { guest: "ab".into(), question: question(7) };
        let text = serde_json::to_string(&ask).unwrap();
        assert_eq!(serde_json::from_str::<Between>(&text).unwrap(), ask);
        let stopped = FromWorker::Stopped { run: 7 };
        let answer = Between::Answer { guest: "ab".into(), answer: stopped };
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Between>(&text).unwrap(), answer);
    }

    #[test]
    fn other_versions_have_other_channels() {
        assert!(channel_name("ab").contains(&VERSION.to_string()));
        assert_ne!(channel_name("ab"), channel_name("ac"));
    }
}
