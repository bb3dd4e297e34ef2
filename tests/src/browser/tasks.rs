//! The tasks of the page's own thread, from Chromium's trace.

use super::Browser;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// Chromium's categories of events: tasks, and the page's own marks, which tell its thread.
pub const CATEGORIES: &str = "toplevel,blink.user_timing";

/// An event of the trace format.
#[derive(Debug, Deserialize)]
struct Event {
    name: String,
    pid: u64,
    tid: u64,
    /// Microseconds by the clock.
    #[serde(default)]
    ts: f64,
    /// Microseconds of the processor's time, without those that others had it.
    tdur: Option<f64>,
}

impl Browser {
    /// Marks the begin of a recording of this name. Needs [`super::BrowserOptions::tasks`].
    ///
    /// # Errors
    /// When the session is gone.
    pub async fn record_tasks(&self, name: &str) -> Result<()> {
        self.mark(&begin(name)).await
    }

    /// Milliseconds of the processor's time that each task of the page's thread took since [`Browser::record_tasks`]. A task
    /// that had to wait for the processor is no longer for it.
    ///
    /// # Errors
    /// When nothing was recorded.
    pub async fn recorded_tasks(&self, name: &str) -> Result<Vec<f64>> {
        self.mark(&end(name)).await?;
        let mut events = Vec::new();
        // The events come some time after what they tell of.
        self.until("the trace has no end", async || {
            let log = self.driver().get_log("performance").await?;
            events.extend(log.iter().filter_map(|entry| event(&entry.message)));
            Ok(events.iter().any(|event| event.name == end(name)).then_some(()))
        })
        .await?;
        tasks(&events, name)
    }

    async fn mark(&self, name: &str) -> Result<()> {
        let body = "performance.mark(arguments[0]); return true";
        self.script::<bool>(body, vec![json!(name)]).await.map(drop)
    }
}

fn begin(name: &str) -> String {
    format!("begin: {name}")
}

fn end(name: &str) -> String {
    format!("end: {name}")
}

/// The event in one of chromedriver's messages, if it is of the trace.
fn event(message: &str) -> Option<Event> {
    let mut message: Value = serde_json::from_str(message).ok()?;
    let message = message.get_mut("message")?;
    if message.get("method")? != "Tracing.dataCollected" {
        return None;
    }
    serde_json::from_value(message.get_mut("params")?.take()).ok()
}

fn tasks(events: &[Event], name: &str) -> Result<Vec<f64>> {
    let mark = |mark: String| {
        events.iter().find(|event| event.name == mark).with_context(|| format!("no mark {mark}"))
    };
    let (begin, end) = (mark(begin(name))?, mark(end(name))?);
    let is_task = |event: &&Event| {
        (event.pid, event.tid) == (begin.pid, begin.tid)
            && (begin.ts..end.ts).contains(&event.ts)
            && event.name.ends_with("RunTask")
    };
    Ok(events.iter().filter(is_task).filter_map(|task| Some(task.tdur? / 1000.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, tid: u64, ts: u64, tdur: u64) -> Event {
        let params =
            json!({"name": name, "pid": 1, "tid": tid, "ts": ts, "dur": 900_000, "tdur": tdur});
        let message = json!({"message": {"method": "Tracing.dataCollected", "params": params}});
        event(&message.to_string()).unwrap()
    }

    #[test]
    fn tasks_of_the_marked_thread_are_counted_in_its_own_time() {
        const TASK: &str = "ThreadControllerImpl::RunTask";
        let events = [
            read(TASK, 1, 10, 60_000),
            read("begin: load", 1, 20, 0),
            read(TASK, 1, 30, 70_000),
            read(TASK, 2, 30, 800_000),
            read("end: load", 1, 40, 0),
            read(TASK, 1, 50, 90_000),
        ];
        assert_eq!(tasks(&events, "load").unwrap(), [70.0]);
        assert!(tasks(&events, "list").is_err());
        assert!(event(r#"{"message": {"method": "Page.loadEventFired", "params": {}}}"#).is_none());
    }
}
