//! Which tab has a model on the GPU. The first one is the host; its worker answers the questions of the others, the guests,
//! whose workers only pass messages on. When the host's tab is closed, or its worker dies, a guest takes its place and asks
//! again what was not answered.

use std::cell::RefCell;
use std::rc::Rc;

use crate::locks::{Lock, lock, try_lock};
use crate::protocol::{Loaded, ToWorker};
use crate::share::{Between, Open, channel_name};
use gloo::events::EventListener;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{BroadcastChannel, MessageEvent};

use super::line::{Asker, Queue, Wishes, Work, post};

/// This worker's place among those of all tabs.
pub enum Seat {
    /// Nobody else can have the model, or none can be told of it.
    Alone,
    /// The model is on the GPU for this worker, and others ask it.
    Host(Host),
    /// Another tab's worker is asked.
    Guest(Guest),
}

/// The place of the worker that has the model.
pub struct Host {
    channel: Channel,
    id: String,
    _lock: Lock,
}

/// The place of a worker that asks another one.
pub struct Guest {
    model: String,
    channel: Channel,
    id: String,
    open: Rc<RefCell<Open>>,
    /// The host that is known to be ready.
    host: RefCell<Option<String>>,
}

impl Seat {
    /// Takes the host's place for `model` if it is free, else a guest's. A guest waits for the host's place meanwhile, and is
    /// told by [`Work::Seat`]. An empty name is a model that nobody else can name.
    pub async fn take(model: &str, queue: &Queue, wishes: &Wishes) -> Self {
        if model.is_empty() {
            return Self::Alone;
        }
        let Ok(port) = BroadcastChannel::new(&channel_name(model)) else { return Self::Alone };
        match try_lock(&channel_name(model)).await {
            Some(lock) if !lock.is_real() => Self::Alone,
            Some(lock) => Self::Host(Host::new(port, lock, queue, wishes)),
            None => Self::Guest(Guest::new(model, port, queue)),
        }
    }

    /// The host's place for `model`, with its lock.
    pub fn host(model: &str, lock: Lock, queue: &Queue, wishes: &Wishes) -> Self {
        match BroadcastChannel::new(&channel_name(model)) {
            Ok(port) => Self::Host(Host::new(port, lock, queue, wishes)),
            Err(_) => Self::Alone,
        }
    }
}

impl Host {
    fn new(port: BroadcastChannel, lock: Lock, queue: &Queue, wishes: &Wishes) -> Self {
        let (queue, wishes, answers) = (queue.clone(), wishes.clone(), port.clone());
        let hear = move |message| match message {
            Between::Knock => queue.push(Work::Knock),
            Between::Ask { guest, question: ToWorker::Stop { run } } => wishes.stop(&guest, run),
            Between::Ask { guest, question } => {
                let asker = Asker::Guest { id: guest.into(), port: answers.clone() };
                queue.push(Work::Guest(asker, question));
            }
            Between::Ready { .. } | Between::Deleted | Between::Answer { .. } => {}
        };
        Self { channel: Channel::new(port, hear), id: random_id(), _lock: lock }
    }

    /// Tells all guests that the model is on the GPU.
    pub fn tell_ready(&self, model: &Loaded) {
        self.channel.post(&Between::Ready { host: self.id.clone(), model: model.clone() });
    }

    /// Tells all guests that the model was deleted from this device.
    pub fn tell_deleted(&self) {
        self.channel.post(&Between::Deleted);
    }

    /// Whether a question came to this host, and not to what this worker was before.
    pub fn is_of(&self, asker: &Asker) -> bool {
        match asker {
            Asker::Page => true,
            Asker::Guest { port, .. } => *port == self.channel.port,
        }
    }
}

impl Guest {
    fn new(model: &str, port: BroadcastChannel, queue: &Queue) -> Self {
        let (open, id) = (Rc::new(RefCell::new(Open::default())), random_id());
        let (work, own, asked) = (queue.clone(), id.clone(), open.clone());
        let hear = move |message| match message {
            Between::Ready { host, model } => work.push(Work::Ready(host, model)),
            Between::Deleted => work.push(Work::Deleted),
            Between::Answer { guest, answer } if guest == own => {
                if asked.borrow_mut().heard(&answer) {
                    post(&answer);
                }
            }
            Between::Answer { .. } | Between::Knock | Between::Ask { .. } => {}
        };
        let guest = Self {
            model: model.to_owned(),
            channel: Channel::new(port, hear),
            id,
            open,
            host: RefCell::default(),
        };
        let (model, queue) = (guest.model.clone(), queue.clone());
        spawn_local(async move {
            let lock = lock(&channel_name(&model)).await;
            queue.push(Work::Seat(model, lock));
        });
        guest.channel.post(&Between::Knock);
        guest
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Asks the host, now or when it is ready.
    pub fn ask(&self, question: ToWorker) {
        self.open.borrow_mut().asked(&question);
        if self.host.borrow().is_some() {
            self.send(question);
        }
    }

    /// A host is ready: one that is new is asked what the one before has not answered.
    pub fn note_host(&self, host: String) {
        let before = self.host.replace(Some(host.clone()));
        if before.as_ref() != Some(&host) {
            self.open.borrow().all().iter().for_each(|question| self.send(question.clone()));
        }
    }

    /// The questions that are not answered yet.
    pub fn open_questions(&self) -> Vec<ToWorker> {
        self.open.borrow().all().to_vec()
    }

    fn send(&self, question: ToWorker) {
        self.channel.post(&Between::Ask { guest: self.id.clone(), question });
    }
}

/// The way to the workers of other tabs, until it is dropped.
struct Channel {
    port: BroadcastChannel,
    _listener: EventListener,
}

impl Channel {
    fn new(port: BroadcastChannel, hear: impl Fn(Between) + 'static) -> Self {
        let listener = EventListener::new(&port, "message", move |event| {
            let data = event.unchecked_ref::<MessageEvent>().data().as_string();
            // Nobody else but this page, in this version, speaks here.
            if let Ok(message) = serde_json::from_str(&data.unwrap_or_default()) {
                hear(message);
            }
        });
        Self { port, _listener: listener }
    }

    fn post(&self, message: &Between) {
        tell(&self.port, message);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.port.close();
    }
}

/// Says something to the workers of all other tabs.
pub fn tell(port: &BroadcastChannel, message: &Between) {
    // Serialising to memory does not fail, and a string can always be posted, unless the channel is closed: then nobody waits.
    if let Ok(text) = serde_json::to_string(message) {
        let _ = port.post_message(&JsValue::from_str(&text));
    }
}

fn random_id() -> String {
    format!("{:x}", js_sys::Math::random().to_bits())
}
