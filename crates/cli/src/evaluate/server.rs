//! An inference server with OpenAI's `/v1/completions`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Question};
use hangtag_extract::{MAX_ANSWER_TOKENS, whole_words};
use hangtag_task::{Feature, TaskVersion, merge_windows, parse_answer, prefix_text, suffix_text};
use serde::Deserialize;
use serde_json::json;

use crate::failure::{bad_input, failed};

/// Longest time for one answer, the wait in the server's queue included.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Times that a question is asked before its product is given up.
const TRIES: u32 = 3;

/// A server and the model that it is asked for.
///
/// The prompt's text is that of the project's engine, but the server splits it into tokens as a whole. The first feature
/// of a product is asked alone, so that a server with a prefix cache reads the text once; the others follow together.
pub struct Server {
    agent: ureq::Agent,
    /// Ends in `/v1`.
    url: String,
    model: String,
    concurrency: usize,
    version: TaskVersion,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<ModelName>,
}

#[derive(Deserialize)]
struct ModelName {
    id: String,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    text: String,
    finish_reason: Option<String>,
    logprobs: Option<LogProbs>,
}

/// Probabilities of an answer's tokens: OpenAI's form, or that of its chat, which llama.cpp's server uses.
#[derive(Deserialize)]
#[serde(untagged)]
enum LogProbs {
    Completion { token_logprobs: Vec<Option<f64>> },
    Chat { content: Vec<TokenLogProb> },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct TokenLogProb {
    logprob: f64,
}

impl Server {
    /// Finds the server at `url`, with or without `/v1` at its end, and its first model if none is named. It is asked in the
    /// prompt's form `version`.
    pub fn connect(
        url: &str,
        model: Option<&str>,
        concurrency: u16,
        version: TaskVersion,
    ) -> Result<Self> {
        if !url.starts_with("http://") {
            return Err(bad_input(format!("--engine {url}: an address begins with http://"))
                .hint("for example http://127.0.0.1:8000; for https, put a local proxy before the server")
                .into());
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(Duration::from_secs(10)))
            .max_idle_connections_per_host(usize::from(concurrency))
            .build();
        let base = url.trim_end_matches('/').trim_end_matches("/v1");
        let mut server = Self {
            agent: config.new_agent(),
            url: format!("{base}/v1"),
            model: String::new(),
            concurrency: usize::from(concurrency),
            version,
        };
        server.model = match model {
            Some(model) => model.to_owned(),
            None => server.first_model()?,
        };
        Ok(server)
    }

    fn first_model(&self) -> Result<String> {
        let url = format!("{}/models", self.url);
        let asked = self.agent.get(&url).call().map_err(|error| error.to_string());
        let models: Result<Models, String> = asked.and_then(read);
        match models.map(|models| models.data.into_iter().next()) {
            Ok(Some(model)) => Ok(model.id),
            Ok(None) => Err(failed(format!("{url}: the server has no model")).into()),
            Err(error) => Err(failed(format!("{url}: {error}"))
                .hint("see that the server runs and offers OpenAI's completions, or name its model: --engine-model")
                .into()),
        }
    }

    /// Asks for one feature, again if the server is busy or the connection breaks.
    fn ask(&self, text: &str, prefix: &str, feature: &Feature) -> Result<GivenAnswer, String> {
        let mut result = self.try_once(text, prefix, feature);
        for attempt in 1..TRIES {
            match &result {
                Err(Failed { again: true, .. }) => {
                    thread::sleep(Duration::from_millis(500) * attempt);
                    result = self.try_once(text, prefix, feature);
                }
                _ => break,
            }
        }
        result.map_err(|failed| format!("feature {:?}: {}", feature.name, failed.message))
    }

    fn try_once(&self, text: &str, prefix: &str, feature: &Feature) -> Result<GivenAnswer, Failed> {
        let body = json!({
            "model": self.model,
            "prompt": format!("{prefix}{}", suffix_text(feature)),
            "max_tokens": MAX_ANSWER_TOKENS,
            "temperature": 0,
            "stop": ["\n"],
            "logprobs": 1,
        });
        let request = self.agent.post(format!("{}/completions", self.url));
        let response = request
            .header("content-type", "application/json")
            .send(body.to_string())
            .map_err(|error| Failed { message: error.to_string(), again: true })?;
        let again = matches!(response.status().as_u16(), 429 | 500..);
        let completion: Completion = read(response).map_err(|message| Failed { message, again })?;
        let choice = completion.choices.into_iter().next().ok_or_else(|| Failed {
            message: "the server gave no choices".to_owned(),
            again: false,
        })?;
        Ok(given(&choice, text, feature))
    }

    /// Asks for all `features`, as many at once as allowed; in their order.
    fn ask_together(
        &self,
        text: &str,
        prefix: &str,
        features: &[Feature],
    ) -> Result<Vec<GivenAnswer>, String> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut answers = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(feature) = features.get(index) else { return answers };
                answers.push((index, self.ask(text, prefix, feature)));
            }
        };
        let mut answers = thread::scope(|scope| {
            let workers = self.concurrency.min(features.len());
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut answers = Vec::with_capacity(features.len());
            for worker in workers {
                match worker.join() {
                    Ok(more) => answers.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            answers
        });
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// Why a question has no answer, and whether it is worth asking again.
struct Failed {
    message: String,
    again: bool,
}

/// A response's JSON, or what the server said instead.
fn read<T: serde::de::DeserializeOwned>(
    mut response: ureq::http::Response<ureq::Body>,
) -> Result<T, String> {
    let status = response.status();
    let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
    if !status.is_success() {
        let start: String = body.chars().take(300).collect();
        return Err(format!("the server answered {status}: {}", start.trim()));
    }
    serde_json::from_str(&body)
        .map_err(|error| format!("the server's answer is not as expected: {error}"))
}

/// Reads a completion as the project's engine reads its own answers.
fn given(choice: &Choice, text: &str, feature: &Feature) -> GivenAnswer {
    let answer = match choice.finish_reason.as_deref() {
        Some("length") => parse_answer(whole_words(&choice.text)),
        _ => parse_answer(&choice.text),
    };
    let confidence = choice.logprobs.as_ref().and_then(LogProbs::probability);
    let whole = 0..text.chars().count();
    let merged = merge_windows(feature, &[(answer, confidence.unwrap_or(0.0), whole)], text);
    GivenAnswer { value: merged.value, confidence }
}

impl LogProbs {
    /// Probability of all tokens together; `None` where the server gives none.
    fn probability(&self) -> Option<f32> {
        let logs: Vec<f64> = match self {
            Self::Completion { token_logprobs } => {
                token_logprobs.iter().flatten().copied().collect()
            }
            Self::Chat { content } => content.iter().map(|token| token.logprob).collect(),
            Self::Other(_) => Vec::new(),
        };
        (!logs.is_empty()).then(|| (logs.iter().sum::<f64>().exp() as f32).clamp(0.0, 1.0))
    }
}

impl Answerer for Server {
    fn name(&self) -> String {
        let Self { model, url, version, .. } = self;
        format!("{model} at {url}, task version {version}")
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let Question { text, features, .. } = *question;
        let prefix = prefix_text(text).repeat(self.version.readings());
        let Some((first, others)) = features.split_first() else { return Ok(Vec::new()) };
        let mut answers = vec![self.ask(text, &prefix, first).map_err(AnswerError::Failed)?];
        answers.extend(self.ask_together(text, &prefix, others).map_err(AnswerError::Failed)?);
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_choice(json: &str) -> GivenAnswer {
        let choice: Choice = serde_json::from_str(json).unwrap();
        given(&choice, "Dark Red shoe", &Feature::new("Color"))
    }

    #[test]
    fn completions_are_read_as_our_own_answers() {
        let answer = read_choice(
            r#"{"text":" Dark Red","finish_reason":"stop","logprobs":{"token_logprobs":[-0.5,null,-0.25],"tokens":["a"]}}"#,
        );
        assert_eq!(answer.value.as_deref(), Some("Dark Red"));
        assert!((answer.confidence.unwrap() - (-0.75f32).exp()).abs() < 1e-6);
        let chat = read_choice(r#"{"text":"None","logprobs":{"content":[{"logprob":0.1}]}}"#);
        assert_eq!(chat, GivenAnswer { value: None, confidence: Some(1.0) });
        let other =
            read_choice(r#"{"text":"Dark Red sh","finish_reason":"length","logprobs":{"x":1}}"#);
        assert_eq!(other, GivenAnswer { value: Some("Dark Red".to_owned()), confidence: None });
    }

    #[test]
    fn an_address_must_be_one() {
        let error = Server::connect("localhost:8000", None, 1, TaskVersion::LATEST)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("--engine localhost:8000: an address begins with http://"),
            "{error}"
        );
    }
}
