//! The report as text.

use hangtag_bench::{Catalogue, Decode, Features, KernelReport, LimitsReport, Report, Rung};

use super::loaded::Loaded;

/// What is said of the drafts where no answer can be a piece of the text.
const RECITED: &str = "random weights write nothing of the text: drafts were recited, every fourth token of them wrong";

pub fn render(report: &Report, loaded: &Loaded) -> String {
    let Report { prefill, features, .. } = report;
    let mut text = format!(
        "Model     {} ({})\n\
         GPU       {}, {} {} (subgroups: {}, products in bytes: {})\n",
        report.model,
        loaded.engine().memory(),
        report.adapter,
        report.backend,
        report.driver,
        yes_no(report.subgroups),
        yes_no(report.integer_products),
    );
    text += &limits(&report.limits);
    report.kernels.iter().for_each(|one| text += &kernel(one));
    text += &format!(
        "Reading   {:.0} tokens/s ({} tokens in {:.1} ms)\n",
        prefill.tokens_per_second,
        prefill.tokens,
        1e3 * prefill.seconds,
    );
    for Decode { rows, tokens_per_second, step_seconds } in &report.decode {
        let answers = if *rows == 1 { "answer" } else { "answers" };
        text += &format!(
            "Writing   {tokens_per_second:.0} tokens/s, {rows} {answers} at once ({:.2} ms a step)\n",
            1e3 * step_seconds
        );
    }
    text += &format!(
        "Features  {} of a text of {} tokens{}, {} tokens of answers; answers the same as the first way's and the last one's\n",
        features.count,
        features.text_tokens,
        read(features),
        features.generated_tokens
    );
    features.ladder.iter().for_each(|one| text += &rung(one));
    if matches!(loaded, Loaded::Shape(_)) {
        text += &format!("          ({RECITED})\n");
    }
    text + &catalogue(&report.catalogue)
}

fn limits(limits: &LimitsReport) -> String {
    format!(
        "Limits    copy {:.0} GB/s, {:.2} T multiply-adds/s, {:.1} µs a dispatch\n",
        limits.copy_bytes_per_second / 1e9,
        limits.multiply_adds_per_second / 1e12,
        limits.dispatch_seconds * 1e6,
    )
}

fn kernel(kernel: &KernelReport) -> String {
    format!(
        "Kernel    {:<17} {:<13} {:>3} tokens {:>8.1} µs, {:>3.0}% of copying, {:>3.0}% of multiply-adds\n",
        kernel.name,
        kernel.shape(),
        kernel.tokens,
        kernel.seconds * 1e6,
        100.0 * kernel.share_of_copy,
        100.0 * kernel.share_of_multiply_adds,
    )
}

fn rung(rung: &Rung) -> String {
    let mut line = format!(
        "          {:<24} {:>8.1} ms  {:>5.1}x  {:>4} steps, {} and {} the same",
        rung.name,
        1e3 * rung.seconds,
        rung.times_faster,
        rung.decode_steps,
        rung.same_answers,
        rung.same_as_before,
    );
    if rung.drafted_tokens > 0 {
        line +=
            &format!(", {} of {} drafted tokens right", rung.accepted_tokens, rung.drafted_tokens);
    }
    line + "\n"
}

/// How often the model reads the text, where it is more than once.
pub fn read(features: &Features) -> &'static str {
    if features.readings == 2 { " (read twice)" } else { "" }
}

fn catalogue(catalogue: &Catalogue) -> String {
    let Catalogue { texts, text_tokens, features, .. } = catalogue;
    let milliseconds = |seconds: f64| 1e3 * seconds / *texts as f64;
    format!(
        "List      {texts} texts of {text_tokens} tokens, {features} features each: {:.1} ms a text, together {:.1} ms\n",
        milliseconds(catalogue.seconds_one_by_one),
        milliseconds(catalogue.seconds_together),
    )
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
