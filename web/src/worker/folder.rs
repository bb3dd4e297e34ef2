//! The folder of model files in the browser's private file system (OPFS).

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemSyncAccessHandle,
};

use super::failure::exception_name;
use super::line::scope;

const FOLDER: &str = "hangtag-models";

/// Model files by name.
#[derive(Clone)]
pub struct Folder(FileSystemDirectoryHandle);

async fn wait<T: JsCast>(promise: Promise) -> Result<T, JsValue> {
    JsFuture::from(promise).await.map(JsCast::unchecked_into)
}

impl Folder {
    /// Opens the folder, making it if need be. Fails where the browser keeps nothing, as in some private windows.
    pub async fn open() -> Result<Self, JsValue> {
        let storage = scope().navigator().storage();
        let root: FileSystemDirectoryHandle = wait(storage.get_directory()).await?;
        let create = FileSystemGetDirectoryOptions::new();
        create.set_create(true);
        Ok(Self(wait(root.get_directory_handle_with_options(FOLDER, &create)).await?))
    }

    /// The file as it is now, or nothing.
    pub async fn file(&self, name: &str) -> Option<File> {
        self.kept(name).await.map(|(_, file)| file)
    }

    /// The file as it is now, with what reads it, or nothing.
    pub async fn kept(&self, name: &str) -> Option<(Kept, File)> {
        let handle: FileSystemFileHandle = wait(self.0.get_file_handle(name)).await.ok()?;
        let file = wait(handle.get_file()).await.ok()?;
        Some((Kept(handle), file))
    }

    /// Deletes a file; a missing one is no error.
    pub async fn remove(&self, name: &str) -> Result<(), JsValue> {
        match JsFuture::from(self.0.remove_entry(name)).await {
            Err(error) if exception_name(&error) != "NotFoundError" => Err(error),
            _ => Ok(()),
        }
    }

    /// The names of all files.
    pub async fn names(&self) -> Vec<String> {
        let (entries, mut names) = (self.0.keys(), Vec::new());
        while let Ok(next) = entries.next() {
            let Ok(step) = JsFuture::from(next).await else { break };
            let get = |name: &str| Reflect::get(&step, &name.into()).unwrap_or_default();
            if get("done").is_truthy() {
                break;
            }
            names.extend(get("value").as_string());
        }
        names
    }

    /// A small file's text, or nothing.
    pub async fn read_text(&self, name: &str) -> Option<String> {
        JsFuture::from(self.file(name).await?.text()).await.ok()?.as_string()
    }

    /// Writes a small file. Another tab that writes the same one has its way.
    pub async fn write_text(&self, name: &str, text: &str) -> Result<(), JsValue> {
        let Some(writer) = self.write(name).await? else { return Ok(()) };
        writer.truncate(0)?;
        writer.write(0, text.as_bytes())
    }

    /// Opens a file for writing, making it if need be. Nothing if another tab writes it.
    pub async fn write(&self, name: &str) -> Result<Option<Writer>, JsValue> {
        let create = FileSystemGetFileOptions::new();
        create.set_create(true);
        let handle: FileSystemFileHandle =
            wait(self.0.get_file_handle_with_options(name, &create)).await?;
        match wait(handle.create_sync_access_handle()).await {
            Ok(access) => Ok(Some(Writer(access))),
            Err(error) if exception_name(&error) == "NoModificationAllowedError" => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A file that is there.
#[derive(Clone)]
pub struct Kept(FileSystemFileHandle);

impl Kept {
    /// Reads straight into our memory. What a `Blob` gives instead are buffers that wait for the browser's garbage collection, twice over:
    /// hundreds of megabytes while a large model is loaded. Nothing if another tab has the file open, or if it is shorter.
    pub async fn read(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let access = self.access().await?;
        let mut bytes = vec![0; length];
        let count = access.read_with_u8_array_and_options(&mut bytes, &at(offset));
        access.close();
        (count.ok()? as usize == length).then_some(bytes)
    }

    /// Opens it for several readers at once; where the browser knows no such mode, for this one.
    async fn access(&self) -> Option<FileSystemSyncAccessHandle> {
        let options = Object::new();
        Reflect::set(&options, &"mode".into(), &"read-only".into()).ok()?;
        let open = Reflect::get(&self.0, &"createSyncAccessHandle".into()).ok()?;
        let opened = open.dyn_into::<Function>().ok()?.call1(&self.0, &options).ok()?;
        wait(opened.dyn_into().ok()?).await.ok()
    }
}

/// A file open for writing, locked against other tabs until it is dropped.
pub struct Writer(FileSystemSyncAccessHandle);

impl Writer {
    /// Size in bytes.
    pub fn size(&self) -> Result<u64, JsValue> {
        Ok(self.0.get_size()? as u64)
    }

    /// Cuts the file to `size` bytes.
    pub fn truncate(&self, size: u64) -> Result<(), JsValue> {
        self.0.truncate_with_f64(size as f64)
    }

    /// Reads into `buffer` from `offset`; the number of bytes read.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, JsValue> {
        Ok(self.0.read_with_u8_array_and_options(buffer, &at(offset))? as usize)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), JsValue> {
        let written = self.0.write_with_u8_array_and_options(bytes, &at(offset))? as usize;
        match written == bytes.len() {
            true => Ok(()),
            false => Err(JsValue::from_str("the browser's storage is full")),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.flush();
        self.0.close();
    }
}

fn at(offset: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(offset as f64);
    options
}
