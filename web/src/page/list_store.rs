//! The list in the browser's database (IndexedDB), so that a reload or a crash loses nothing: the file as it was dropped,
//! what is asked of it, and an entry for each product that has something to keep.

use hangtag_web::list::{Entry, Setup};
use hangtag_web::locks::try_lock;
use js_sys::Uint8Array;
use rexie::{ObjectStore, Rexie, Store, TransactionMode};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};

const DATABASE: &str = "hangtag";
const LOCK: &str = "hangtag.list";
/// Attempts to get the lock.
const PATIENCE: usize = 5;
/// The file under [`FILE`], its [`Head`] under [`HEAD`].
const LIST: &str = "list";
const FILE: &str = "file";
const HEAD: &str = "head";
/// Entries as JSON, by the product's number.
const ENTRIES: &str = "entries";

/// What is kept beside the file and the entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// The file's name.
    pub name: String,
    /// What is asked; `None` before the start.
    pub setup: Option<Setup>,
}

/// A list as it was kept.
pub struct Kept {
    /// Name and what was asked.
    pub head: Head,
    /// The file.
    pub bytes: Vec<u8>,
    /// Entries by the product's number.
    pub entries: Vec<(usize, Entry)>,
}

/// Why a list is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// Another tab has the database.
    OtherTab,
    /// The browser refuses, with these words.
    Refused(String),
}

/// The open database.
pub struct ListStore(Rexie);

impl ListStore {
    /// Opens the database, or makes it. Of several tabs one has it, until it is closed: two would mix their lists.
    ///
    /// # Errors
    /// Why there is none to be had.
    pub async fn open() -> Result<Self, NotKept> {
        if !claimed().await {
            return Err(NotKept::OtherTab);
        }
        let database = Rexie::builder(DATABASE)
            .version(1)
            .add_object_store(ObjectStore::new(LIST))
            .add_object_store(ObjectStore::new(ENTRIES))
            .build();
        database.await.map(Self).map_err(|error| NotKept::Refused(words(error)))
    }

    /// The kept list, if there is one.
    pub async fn load(&self) -> Result<Option<Kept>, String> {
        self.try_load().await.map_err(words)
    }

    async fn try_load(&self) -> rexie::Result<Option<Kept>> {
        let transaction = self.0.transaction(&[LIST, ENTRIES], TransactionMode::ReadOnly)?;
        let (list, entries) = (transaction.store(LIST)?, transaction.store(ENTRIES)?);
        let head = list.get(HEAD.into()).await?.and_then(|head| parsed(&head));
        let file = list.get(FILE.into()).await?;
        let (Some(head), Some(file)) = (head, file) else { return Ok(None) };
        let (keys, values) =
            (entries.get_all_keys(None, None).await?, entries.get_all(None, None).await?);
        let entry =
            |(key, value): (JsValue, JsValue)| Some((key.as_f64()? as usize, parsed(&value)?));
        let entries = keys.into_iter().zip(values).filter_map(entry).collect();
        let bytes = file.dyn_into::<Uint8Array>().map(|file| file.to_vec()).unwrap_or_default();
        Ok(Some(Kept { head, bytes, entries }))
    }

    /// Keeps a new list in place of another.
    pub async fn keep(&self, head: &Head, bytes: &[u8]) -> Result<(), String> {
        let file = Uint8Array::from(bytes);
        self.write(async |list, entries| {
            entries.clear().await?;
            list.put(&file, Some(&FILE.into())).await?;
            list.put(&json(head), Some(&HEAD.into())).await.map(drop)
        })
        .await
    }

    /// Keeps what a list is asked, and no entries: it begins.
    pub async fn begin(&self, head: &Head) -> Result<(), String> {
        self.write(async |list, entries| {
            entries.clear().await?;
            list.put(&json(head), Some(&HEAD.into())).await.map(drop)
        })
        .await
    }

    /// Keeps these entries.
    pub async fn keep_entries(&self, kept: &[(usize, Entry)]) -> Result<(), String> {
        let kept: Vec<_> = kept
            .iter()
            .map(|(index, entry)| (json(entry), Some(JsValue::from_f64(*index as f64))))
            .collect();
        self.write(async |_, entries| entries.put_all(kept.into_iter()).await).await
    }

    /// Keeps nothing.
    pub async fn clear(&self) -> Result<(), String> {
        self.write(async |list, entries| {
            list.clear().await?;
            entries.clear().await
        })
        .await
    }

    async fn write(
        &self,
        change: impl AsyncFnOnce(Store, Store) -> rexie::Result<()>,
    ) -> Result<(), String> {
        let all = async {
            let transaction = self.0.transaction(&[LIST, ENTRIES], TransactionMode::ReadWrite)?;
            change(transaction.store(LIST)?, transaction.store(ENTRIES)?).await?;
            transaction.done().await
        };
        all.await.map(drop).map_err(words)
    }
}

/// Whether this tab got the lock on the database, and so has it until it is closed.
async fn claimed() -> bool {
    for _ in 0..PATIENCE {
        if let Some(lock) = try_lock(LOCK).await {
            lock.keep();
            return true;
        }
        // A page that is left gives its lock back a little after the next one has begun.
        gloo_timers::future::TimeoutFuture::new(200).await;
    }
    false
}

fn json(value: &impl Serialize) -> JsValue {
    JsValue::from_str(&serde_json::to_string(value).unwrap_or_default())
}

fn parsed<T: for<'a> Deserialize<'a>>(value: &JsValue) -> Option<T> {
    serde_json::from_str(&value.as_string()?).ok()
}

/// The database's error with its cause, which alone says what is wrong.
fn words(error: rexie::Error) -> String {
    match &error {
        rexie::Error::IdbError(cause) => cause.to_string(),
        _ => error.to_string(),
    }
}
