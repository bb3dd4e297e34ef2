//! The model: what it is, where it is, how far it is.

use hangtag_web::ask::sentence;
use hangtag_web::protocol::{Failure, Fit, Gpu, LoadStep, Loaded, Origin, Package, Storage};
use hangtag_web::units::{bytes, count, percent, seconds};
use leptos::prelude::*;

use super::card_text::CardText;
use super::client::Client;
use super::model_choice::ModelChoice;
use super::recovery::RestartNote;
use super::state::{Model, State};

/// Card with the model's facts, progress and buttons.
#[component]
pub fn ModelCard() -> impl IntoView {
    let state = expect_context::<State>();
    let name =
        move || state.package.get().map_or_else(|| "Model".to_owned(), |package| package.name);
    let size = move || state.package.get().map(|package| bytes(package.size_bytes));
    let quality = move || {
        let trained = state.package.get().map(|package| package.adapter.is_some())?;
        Some(if trained {
            "A small model: many answers are right, some are wrong or missing. Check those that matter."
        } else {
            "This model names no training for product features: check every answer."
        })
    };
    let on_software = move || state.gpu.get().is_some_and(|gpu| gpu.is_software);
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
                Model::Starting => view! { <p class="quiet-text">"Looking for a GPU …"</p> }.into_any(),
                Model::Unsupported(_) => ().into_any(),
                Model::Absent => view! { <Absent /> }.into_any(),
                Model::Loading(step) => view! { <LoadProgress step /> }.into_any(),
                Model::Ready(model) => view! { <Ready model /> }.into_any(),
                Model::Failed(failure) => view! { <Broken failure /> }.into_any(),
            }}
            <RestartNote />
            <Show when=on_software>
                <p class="note" data-testid="software-gpu">
                    "This browser plays the GPU on the CPU: everything works, slowly. Hardware acceleration may be \
                    switched off in its settings."
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
            <p class="quiet-text">
                "There is no site behind this page, so the model comes from a file: drop one below, and it is read here."
            </p>
        }
        .into_any();
    };
    let label = match &package {
        package if package.is_kept() || package.origin != Origin::Site => "Load".to_owned(),
        package if package.kept_bytes > 0 => {
            format!("Go on: {} to download", bytes(package.size_bytes - package.kept_bytes))
        }
        package => format!("Download {}", bytes(package.size_bytes)),
    };
    let words = match package.origin {
        Origin::Site => {
            "Comes from this site once, when it is first needed, and is then kept in your browser."
        }
        Origin::Files => "Is read from your file when it is first needed, and sent nowhere.",
        Origin::Kept => "Is kept in this browser.",
    };
    let needs = needs(&package);
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

/// Licence and memory, before anything is loaded. The GPU's free memory is known only when it is asked for some.
fn needs(package: &Package) -> String {
    let licence = format!("Licence: {}.", package.licence.trim_end_matches('.'));
    match &package.fit {
        Some(fit) => {
            let reduced = reduced(fit).map(|words| format!(" {words}")).unwrap_or_default();
            format!("{licence} Takes {} of GPU memory.{reduced}", bytes(fit.total_bytes()))
        }
        // Weights stay on the GPU as they are in the file; its headers tell the rest.
        None => {
            let least = bytes(package.size_bytes);
            format!(
                "{licence} Takes somewhat more than {least} of GPU memory, which is checked first."
            )
        }
    }
}

/// A word about sizes that are smaller than usual.
fn reduced(fit: &Fit) -> Option<String> {
    fit.is_reduced.then(|| {
        format!(
            "The GPU's memory is short, so {} features are answered at once and {} tokens are read at a time: slower, and just as good.",
            fit.rows,
            count(fit.context_tokens)
        )
    })
}

/// Whether the person's own file is to be copied into the browser's storage, where it would fit.
#[component]
fn KeepBox(size_bytes: u64) -> impl IntoView {
    let choice = expect_context::<State>().choice;
    let shelf = move || choice.shelf.get().filter(|shelf| shelf.refused.is_none());
    let words = move |free: Option<u64>| match free {
        Some(free) if free < size_bytes => {
            format!("This browser would keep {} more, too little for a copy.", bytes(free))
        }
        _ => format!("Keep a copy in this browser for the next visit ({})", bytes(size_bytes)),
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
                    <span>{words(free)}</span>
                </label>
            }
        })
    }
}

#[component]
fn LoadProgress(step: Option<LoadStep>) -> impl IntoView {
    let client = expect_context::<Client>();
    let (name, words, done, total) = match &step {
        None => ("waiting", "Preparing …".to_owned(), 0, 0),
        Some(LoadStep::WaitingForOtherTab) => {
            ("waiting", "Another tab is loading it …".to_owned(), 0, 0)
        }
        Some(LoadStep::Downloading { done_bytes, total_bytes, bytes_per_second }) => {
            let rate = bytes(*bytes_per_second as u64);
            let words = format!("{} of {} · {rate}/s", bytes(*done_bytes), bytes(*total_bytes));
            ("downloading", words, *done_bytes, *total_bytes)
        }
        Some(LoadStep::Keeping { done_bytes, total_bytes }) => {
            ("keeping", "Copying it into this browser".to_owned(), *done_bytes, *total_bytes)
        }
        Some(LoadStep::Checking { done_bytes, total_bytes }) => {
            ("checking", "Checking the file on this device".to_owned(), *done_bytes, *total_bytes)
        }
        Some(LoadStep::Uploading { done_bytes, total_bytes }) => {
            ("uploading", "Loading onto the GPU".to_owned(), *done_bytes, *total_bytes)
        }
    };
    // Without a value the bar shows that work goes on, not how far it is.
    let value = (total > 0).then(|| percent(done as f64, total as f64).to_string());
    let can_pause = matches!(name, "downloading" | "keeping");
    view! {
        <div class="progress" data-testid="model-progress" data-step=name>
            <progress max="100" value=value aria-label="Loading the model"></progress>
            <div class="progress-words">
                <span>{words}</span>
                {can_pause.then(|| view! {
                    <button
                        type="button"
                        class="quiet"
                        data-testid="model-pause"
                        on:click=move |_| client.pause()
                    >
                        "Pause"
                    </button>
                })}
            </div>
        </div>
    }
}

#[component]
fn Ready(model: Loaded) -> impl IntoView {
    if model.in_other_tab {
        return view! {
            <p class="quiet-text" data-testid="model-in-other-tab">
                "Another tab has it on the GPU and answers for this one too, so that it takes the memory only once. When that tab \
                is closed, this one loads it."
            </p>
        }
        .into_any();
    }
    let came = match model.downloaded_bytes {
        0 => "read from this device, nothing downloaded".to_owned(),
        some => format!("{} downloaded", bytes(some)),
    };
    let not_kept = match &model.storage {
        Storage::Kept => None,
        Storage::Memory { reason } => {
            Some(format!("Held in memory only, so the next visit downloads it again: {reason}"))
        }
        Storage::Files { reason } => {
            reason.as_ref().map(|reason| format!("Read from your file; no copy was kept: {reason}"))
        }
    };
    view! {
        <p class="quiet-text">
            <span data-testid="model-downloaded" data-bytes=model.downloaded_bytes.to_string()>
                {format!("Loaded in {} · {came}", seconds(model.seconds))}
            </span>
        </p>
        {not_kept.map(|reason| view! { <p class="note" data-testid="model-notice">{reason}</p> })}
        {reduced(&model.fit)
            .map(|words| view! { <p class="note" data-testid="model-reduced">{words}</p> })}
    }
    .into_any()
}

#[component]
fn Broken(failure: Failure) -> impl IntoView {
    let client = expect_context::<Client>();
    let advice = failure.advice();
    view! {
        <div class="error" role="alert" data-testid="model-error">
            <p>{sentence(&failure.message)}</p>
            <p>{advice}</p>
        </div>
        <div class="chips">
            <button type="button" data-testid="model-restart" on:click=move |_| client.restart()>
                "Restart the engine"
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
                "Delete from this device"
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
                <summary>"About this model"</summary>
                <dl class="facts">
                    {move || state.package.get().map(|package| view! { <PackageFacts package /> })}
                    {move || state.gpu.get().map(|gpu| view! { <GpuFacts gpu /> })}
                    {move || fit().map(|fit| view! { <MemoryFacts fit /> })}
                </dl>
                {forget}
            </details>
        </Show>
    }
}

#[component]
fn PackageFacts(package: Package) -> impl IntoView {
    let kept = package
        .is_kept()
        .then(|| view! { <dd data-testid="model-kept">"Kept in this browser"</dd> });
    let part_kept = (!package.is_kept()).then(|| match package.kept_bytes {
        0 => view! { <dd>"No"</dd> }.into_any(),
        some => view! { <dd>{format!("{} of it", bytes(some))}</dd> }.into_any(),
    });
    let adapter =
        package.adapter.unwrap_or_else(|| "None: the base as it was published".to_owned());
    let trained_on = package
        .trained_on
        .map(|words| view! { <div><dt>"Trained on"</dt><dd data-testid="model-trained-on">{words}</dd></div> });
    view! {
        <div><dt>"Made from"</dt><dd>{package.base}</dd></div>
        <div><dt>"Adapter"</dt><dd data-testid="model-adapter">{adapter}</dd></div>
        {trained_on}
        <div><dt>"Licence"</dt><dd>{package.licence}</dd></div>
        <div><dt>"On this device"</dt>{kept}{part_kept}</div>
    }
}

#[component]
fn GpuFacts(gpu: Gpu) -> impl IntoView {
    let mut tier = vec![if gpu.integer_dot { "products in bytes" } else { "products in floats" }];
    if gpu.subgroups {
        tier.push("subgroups");
    }
    // Browsers may hide the name, lest it tell visitors apart.
    let name = if gpu.name.is_empty() { "name hidden by the browser".to_owned() } else { gpu.name };
    view! {
        <div><dt>"GPU"</dt><dd data-testid="model-gpu">{format!("{name} ({})", tier.join(", "))}</dd></div>
    }
}

#[component]
fn MemoryFacts(fit: Fit) -> impl IntoView {
    let plan = format!(
        "{} weights + {} cache + {} scratch",
        bytes(fit.weights_bytes),
        bytes(fit.kv_cache_bytes),
        bytes(fit.scratch_bytes)
    );
    let context = format!(
        "{} tokens of text and answers, {} features at once",
        count(fit.context_tokens),
        fit.rows
    );
    view! {
        <div><dt>"GPU memory"</dt><dd data-testid="model-memory">{plan}</dd></div>
        <div><dt>"Context"</dt><dd>{context}</dd></div>
    }
}
