//! The bench as JavaScript calls it, for any place that has `navigator.gpu`: `tests/dawn` runs it in Node.js on Chrome's WebGPU.

#[cfg(target_arch = "wasm32")]
mod exported {
    use std::ops::ControlFlow;

    use hangtag_bench::{Bench, Progress, Settings, Subject};
    use hangtag_engine::{Engine, EngineOptions, Gpu, GpuOptions};
    use hangtag_extract::Extractor;
    use hangtag_weights::random::{RandomWeights, shape};
    use hangtag_weights::{Gguf, MemorySource};
    use js_sys::Function;
    use wasm_bindgen::prelude::wasm_bindgen;
    use wasm_bindgen::{JsError, JsValue};

    /// Measures a model as `hangtag bench --json` does, and gives the same JSON.
    ///
    /// `model` is the model's name in the report, and without the bytes of a GGUF file that of a known shape. `settings` are the fields
    /// of [`Settings`] as JSON. `tell` is called with what is measured, the steps done, and the steps in all.
    ///
    /// # Errors
    /// What is wrong with the model or the settings, or what failed.
    #[wasm_bindgen]
    pub async fn bench(
        model: String,
        gguf: Option<Vec<u8>>,
        settings: String,
        tell: Function,
    ) -> Result<String, JsError> {
        std::panic::set_hook(Box::new(|info| wasm_bindgen::throw_str(&info.to_string())));
        let settings: Settings = serde_json::from_str(&settings)?;
        let observe = &mut |Progress { what, done, total }: Progress<'_>| {
            // Whoever does not listen stops nothing.
            let _ = tell.call3(&JsValue::NULL, &what.into(), &done.into(), &total.into());
            ControlFlow::Continue(())
        };
        let (gpu, options) =
            (Gpu::request(&GpuOptions::default()).await?, EngineOptions::default());
        let report = match gguf {
            Some(bytes) => {
                let gguf = Gguf::open(vec![MemorySource::new(model.as_str(), bytes)]).await?;
                let mut extractor = Extractor::load(gguf, gpu, options, |_| {}).await?;
                let subject = Subject::Model(&mut extractor);
                Bench::new(subject, &settings, observe)?.report(&model).await?
            }
            None => {
                let unknown = || JsError::new(&format!("{model} is no known shape"));
                let config = shape(&model).ok_or_else(unknown)?;
                let gguf = RandomWeights::open(&model, &config).await?;
                let mut engine = Engine::load(gpu, &gguf, config, options, |_| {}).await?;
                let subject = Subject::Shape(&mut engine);
                Bench::new(subject, &settings, observe)?.report(&model).await?
            }
        };
        Ok(serde_json::to_string(&report)?)
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-dawn runs in Node.js: see tests/dawn/README.md");
    std::process::exit(1);
}
