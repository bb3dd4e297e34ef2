//! The model: what it is, where it is, how far it is.

use hangtag_web::protocol::{Device, Failure, Fit, LoadStep, Loaded, Origin, Package, Storage};
use hangtag_web::units::{bytes, percent, seconds};
use hangtag_web::words::Messages;
use leptos::prelude::*;

use super::card_text::CardText;
use super::client::Client;
use super::failure_words::FailureWords;
use super::measure::Measure;
use super::model_choice::ModelChoice;
use super::recovery::RestartNote;
use super::speech::{say, speech};
use super::state::{Model, State};

/// Card with the model's facts, progress and buttons.
#[component]
pub fn ModelCard() -> impl IntoView {
    let state = expect_context::<State>();
    let speech = state.speech;
    let name = move || {
        let own = state.package.get().map(|package| package.name);
        own.unwrap_or_else(|| speech.get().model.model.to_owned())
    };
    let size = move || {
        let package = state.package.get()?;
        Some(bytes(speech.get().language, package.size_bytes))
    };
    let quality = move || {
        let trained = state.package.get().map(|package| package.adapter.is_some())?;
        let words = &speech.get().model;
        Some(if trained { words.quality } else { words.quality_untrained })
    };
    let on_software = move || {
        let plays = |device: Device| matches!(device, Device::Gpu(gpu) if gpu.is_software);
        state.device.get().is_some_and(plays)
    };
    view! {
        <section
            class="card model"
            id="model"
            aria-labelledby="model-title"
            data-testid="model-card"
            data-state=move || state.model.with(Model::name)
        >
            <div class="field-head">
                <h2 id="model-title" data-testid="model-name">{name}</h2>
                <span class="count" data-testid="model-size">{size}</span>
            </div>
            {move || match state.model.get() {
                Model::Starting => view! { <p class="quiet-text">{say(|words| words.model.looking)}</p> }.into_any(),
                Model::Absent => view! { <Absent /> }.into_any(),
                Model::Loading(step) => view! { <LoadProgress step /> }.into_any(),
                Model::Ready(model) => view! { <Ready model /> }.into_any(),
                Model::Failed(failure) => view! { <Broken failure /> }.into_any(),
            }}
            <RestartNote />
            <Show when=on_software>
                <p class="note" data-testid="software-gpu">
                    {say(|words| words.model.on_software)}
                </p>
            </Show>
            {move || quality().map(|words| view! { <p class="quiet-text" data-testid="quality">{words}</p> })}
            <Facts />
            <CardText />
            <ModelChoice />
        </section>
    }
}

#[component]
fn Absent() -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let Some(package) = state.package.get() else {
        return view! {
            <p class="quiet-text">{say(|words| words.model.no_site)}</p>
        }
        .into_any();
    };
    let speech = state.speech;
    let described = package.clone();
    let label = move || load_label(speech.get(), &described);
    let words = say(match package.origin {
        Origin::Site => |words| words.model.from_site,
        Origin::Files => |words| words.model.from_files,
        Origin::Kept => |words| words.model.from_kept,
    });
    let described = package.clone();
    let needs = move || needs(speech.get(), &described, state.is_on_processor());
    let can_keep = package.origin == Origin::Files && !package.is_kept();
    view! {
        <p class="quiet-text">{words}</p>
        <p class="quiet-text" data-testid="model-needs">{needs}</p>
        {can_keep.then(|| view! { <KeepBox size_bytes=package.size_bytes /> })}
        <div class="chips">
            <button type="button" data-testid="model-load" on:click=move |_| client.load()>{label}</button>
            <ForgetButton />
        </div>
    }
    .into_any()
}

fn load_label(messages: &Messages, package: &Package) -> String {
    let (words, size) = (&messages.model, |size_bytes| bytes(messages.language, size_bytes));
    match package {
        package if package.is_kept() || package.origin != Origin::Site => words.load.to_owned(),
        package if package.kept_bytes > 0 => {
            words.load_rest(&size(package.size_bytes - package.kept_bytes))
        }
        package => words.download(&size(package.size_bytes)),
    }
}

/// Licence and memory, before anything is loaded. How much is free is known only when some is asked for.
fn needs(messages: &Messages, package: &Package, on_processor: bool) -> String {
    let (words, size) = (&messages.model, |size_bytes| bytes(messages.language, size_bytes));
    let licence = words.licence_is(package.licence.trim_end_matches('.'));
    let memory = match &package.fit {
        Some(fit) if on_processor => words.takes_memory(&size(fit.total_bytes())),
        Some(fit) => [Some(words.takes(&size(fit.total_bytes()))), reduced(messages, fit)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        None if on_processor => words.takes_more_memory_than(&size(package.size_bytes)),
        // Weights stay on the GPU as they are in the file; its headers tell the rest.
        None => words.takes_more_than(&size(package.size_bytes)),
    };
    format!("{licence} {memory}")
}

/// A word about sizes that are smaller than usual.
fn reduced(messages: &Messages, fit: &Fit) -> Option<String> {
    fit.is_reduced.then(|| messages.model.reduced(fit.rows, fit.context_tokens))
}

/// Whether the person's own file is to be copied into the browser's storage, where it would fit.
#[component]
fn KeepBox(size_bytes: u64) -> impl IntoView {
    let State { choice, speech, .. } = expect_context();
    let shelf = move || choice.shelf.get().filter(|shelf| shelf.refused.is_none());
    let words = move |free: Option<u64>| {
        let Messages { language, model: words, .. } = speech.get();
        match free {
            Some(free) if free < size_bytes => words.no_room(&bytes(*language, free)),
            _ => words.keep_copy(&bytes(*language, size_bytes)),
        }
    };
    move || {
        shelf().map(|shelf| {
            let free = shelf.free_bytes();
            let has_room = free.is_none_or(|free| free >= size_bytes);
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        data-testid="model-keep"
                        disabled=!has_room
                        prop:checked=choice.keep
                        on:change=move |event| choice.keep.set(event_target_checked(&event))
                    />
                    <span>{move || words(free)}</span>
                </label>
            }
        })
    }
}

#[component]
fn LoadProgress(step: Option<LoadStep>) -> impl IntoView {
    let client = expect_context::<Client>();
    let speech = speech();
    let (name, done, total) = match &step {
        None | Some(LoadStep::WaitingForOtherTab) => ("waiting", 0, 0),
        Some(LoadStep::Downloading { done_bytes, total_bytes, .. }) => {
            ("downloading", *done_bytes, *total_bytes)
        }
        Some(LoadStep::Keeping { done_bytes, total_bytes }) => {
            ("keeping", *done_bytes, *total_bytes)
        }
        Some(LoadStep::Checking { done_bytes, total_bytes }) => {
            ("checking", *done_bytes, *total_bytes)
        }
        Some(LoadStep::Uploading { done_bytes, total_bytes }) => {
            ("uploading", *done_bytes, *total_bytes)
        }
    };
    let state = expect_context::<State>();
    let words = move || load_words(speech.get(), step.as_ref(), state.is_on_processor());
    // Without a value the bar shows that work goes on, not how far it is.
    let value = (total > 0).then(|| percent(done as f64, total as f64).to_string());
    let can_pause = matches!(name, "downloading" | "keeping");
    view! {
        <div class="progress" data-testid="model-progress" data-step=name>
            <progress max="100" value=value aria-label=say(|words| words.model.progress)></progress>
            <div class="progress-words">
                <span>{words}</span>
                {can_pause.then(|| view! {
                    <button
                        type="button"
                        class="quiet"
                        data-testid="model-pause"
                        on:click=move |_| client.pause()
                    >
                        {say(|words| words.model.pause)}
                    </button>
                })}
            </div>
        </div>
    }
}

fn load_words(messages: &Messages, step: Option<&LoadStep>, on_processor: bool) -> String {
    let words = &messages.model;
    match step {
        None => words.preparing.to_owned(),
        Some(LoadStep::WaitingForOtherTab) => words.other_tab.to_owned(),
        Some(LoadStep::Downloading { done_bytes, total_bytes, bytes_per_second }) => {
            let [done, total, rate] = [*done_bytes, *total_bytes, *bytes_per_second as u64]
                .map(|size_bytes| bytes(messages.language, size_bytes));
            words.done_of(&done, &total, &rate)
        }
        Some(LoadStep::Keeping { .. }) => words.copying.to_owned(),
        Some(LoadStep::Checking { .. }) => words.checking.to_owned(),
        Some(LoadStep::Uploading { .. }) if on_processor => words.reading.to_owned(),
        Some(LoadStep::Uploading { .. }) => words.uploading.to_owned(),
    }
}

#[component]
fn Ready(model: Loaded) -> impl IntoView {
    let speech = speech();
    if model.in_other_tab {
        let words = say(|words| words.model.in_other_tab);
        return view! {
            <p class="quiet-text" data-testid="model-in-other-tab">{words}</p>
            <MeasureGpu />
        }
        .into_any();
    }
    let (downloaded_bytes, load_seconds, fit) = (model.downloaded_bytes, model.seconds, model.fit);
    let loaded = move || {
        let Messages { language, model: words, .. } = speech.get();
        let came = match downloaded_bytes {
            0 => words.nothing_downloaded.to_owned(),
            some => words.downloaded(&bytes(*language, some)),
        };
        words.loaded_in(&seconds(*language, load_seconds), &came)
    };
    let not_kept = move || {
        let words = &speech.get().model;
        let notice = match &model.storage {
            Storage::Kept => None,
            Storage::Memory { reason } => Some(words.in_memory(reason)),
            Storage::Files { reason } => reason.as_ref().map(|reason| words.not_copied(reason)),
        };
        notice.map(|words| view! { <p class="note" data-testid="model-notice">{words}</p> })
    };
    let reduced = move || {
        reduced(speech.get(), &fit)
            .map(|words| view! { <p class="note" data-testid="model-reduced">{words}</p> })
    };
    view! {
        <p class="quiet-text">
            <span data-testid="model-downloaded" data-bytes=downloaded_bytes.to_string()>{loaded}</span>
        </p>
        {not_kept}
        {reduced}
        <MeasureGpu />
    }
    .into_any()
}

/// The offer to measure the GPU, where there is one.
#[component]
fn MeasureGpu() -> impl IntoView {
    let state = expect_context::<State>();
    move || (!state.is_on_processor()).then(|| view! { <Measure /> })
}

#[component]
fn Broken(failure: Failure) -> impl IntoView {
    let client = expect_context::<Client>();
    view! {
        <div class="error" role="alert" data-testid="model-error">
            <FailureWords failure />
        </div>
        <div class="chips">
            <button type="button" data-testid="model-restart" on:click=move |_| client.restart()>
                {say(|words| words.model.restart)}
            </button>
            <ForgetButton />
        </div>
    }
}

#[component]
fn ForgetButton() -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let something_kept = move || state.package.get().is_some_and(|package| package.kept_bytes > 0);
    view! {
        <Show when=something_kept>
            <button
                type="button"
                class="quiet"
                data-testid="model-forget"
                on:click=move |_| client.forget()
            >
                {say(|words| words.model.delete)}
            </button>
        </Show>
    }
}

/// Everything that is known about the model, folded away.
#[component]
fn Facts() -> impl IntoView {
    let state = expect_context::<State>();
    let loaded = move || match state.model.get() {
        Model::Ready(model) => Some(model),
        _ => None,
    };
    // Before it is loaded, what its headers say.
    let fit = move || {
        let known =
            || state.package.with(|package| package.as_ref().and_then(|package| package.fit));
        loaded().map(|model| model.fit).or_else(known)
    };
    let forget = move || loaded().is_some().then(|| view! { <ForgetButton /> });
    view! {
        <Show when=move || state.package.with(Option::is_some)>
            <details>
                <summary>{say(|words| words.model.about)}</summary>
                <dl class="facts">
                    {move || state.package.get().map(|package| view! { <PackageFacts package /> })}
                    {move || state.device.get().map(|device| view! { <DeviceFacts device /> })}
                    {move || fit().map(|fit| view! { <MemoryFacts fit /> })}
                </dl>
                {forget}
            </details>
        </Show>
    }
}

#[component]
fn PackageFacts(package: Package) -> impl IntoView {
    let speech = speech();
    let kept = match package.is_kept() {
        true => {
            view! { <dd data-testid="model-kept">{say(|words| words.model.kept)}</dd> }.into_any()
        }
        false => {
            let part = move || {
                let Messages { language, model: words, .. } = speech.get();
                match package.kept_bytes {
                    0 => words.not_kept.to_owned(),
                    some => words.part_kept(&bytes(*language, some)),
                }
            };
            view! { <dd>{part}</dd> }.into_any()
        }
    };
    let adapter = package.adapter;
    let adapter =
        move || adapter.clone().unwrap_or_else(|| speech.get().model.no_adapter.to_owned());
    let trained_on = package.trained_on.map(|words| {
        view! {
            <div>
                <dt>{say(|words| words.model.trained_on)}</dt>
                <dd data-testid="model-trained-on">{words}</dd>
            </div>
        }
    });
    view! {
        <div><dt>{say(|words| words.model.made_from)}</dt><dd>{package.base}</dd></div>
        <div><dt>{say(|words| words.model.adapter)}</dt><dd data-testid="model-adapter">{adapter}</dd></div>
        {trained_on}
        <div><dt>{say(|words| words.model.licence)}</dt><dd>{package.licence}</dd></div>
        <div><dt>{say(|words| words.model.on_device)}</dt>{kept}</div>
    }
}

#[component]
fn DeviceFacts(device: Device) -> impl IntoView {
    let speech = speech();
    let Device::Gpu(gpu) = device else {
        return view! {
            <div>
                <dt>{say(|words| words.model.runs_on)}</dt>
                <dd data-testid="model-gpu">{say(|words| words.model.processor)}</dd>
            </div>
        }
        .into_any();
    };
    let words = move || {
        let words = &speech.get().model;
        let mut tier = vec![if gpu.integer_dot { words.in_bytes } else { words.in_floats }];
        if gpu.subgroups {
            tier.push(words.subgroups);
        }
        // Browsers may hide the name, lest it tell visitors apart.
        let name = if gpu.name.is_empty() { words.name_hidden } else { &gpu.name };
        format!("{name} ({})", tier.join(", "))
    };
    view! {
        <div><dt>{say(|words| words.model.gpu)}</dt><dd data-testid="model-gpu">{words}</dd></div>
    }
    .into_any()
}

#[component]
fn MemoryFacts(fit: Fit) -> impl IntoView {
    let speech = speech();
    let plan = move || {
        let Messages { language, model: words, .. } = speech.get();
        let [weights, cache, scratch] = [fit.weights_bytes, fit.kv_cache_bytes, fit.scratch_bytes]
            .map(|size_bytes| bytes(*language, size_bytes));
        words.memory(&weights, &cache, &scratch)
    };
    let state = expect_context::<State>();
    let memory = move || {
        let words = &speech.get().model;
        if state.is_on_processor() { words.main_memory } else { words.gpu_memory }
    };
    let room = move || speech.get().model.room(fit.context_tokens, fit.rows);
    view! {
        <div><dt>{memory}</dt><dd data-testid="model-memory">{plan}</dd></div>
        <div><dt>{say(|words| words.model.context)}</dt><dd>{room}</dd></div>
    }
}
