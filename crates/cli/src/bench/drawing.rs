//! `hangtag bench --svg`: the ways to fifty features, and the kernels as shares of what the GPU can do.

use std::fmt::Write;

use hangtag_bench::{KernelReport, Report, Rung};

use super::words::read;

const WIDTH: f64 = 780.0;
/// Where bars begin, and the most that they take.
const LEFT: f64 = 300.0;
const ROOM: f64 = 400.0;
const LINE: f64 = 24.0;
const FRAME: &str = "#e5e7eb";
const TEXT: &str = "#374151";
const ARITHMETIC: &str = "#0b7a75";
const MEMORY: &str = "#b45309";

/// The report as a picture that stands by itself.
pub fn svg(report: &Report) -> String {
    let mut body = String::new();
    let features = &report.features;
    let mut y = title(
        &mut body,
        28.0,
        &format!(
            "{} features of a text of {} tokens{}",
            features.count,
            features.text_tokens,
            read(features)
        ),
    );
    y = ladder(&mut body, y, &features.ladder);
    y = title(&mut body, y + 20.0, "Kernels: share of what the GPU can do at most");
    y = shares(&mut body, y, &report.kernels);
    let caption = escaped(&format!("{}, {} ({})", report.model, report.adapter, report.backend));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>hangtag bench: {caption}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}{}</svg>\n",
        y + 34.0,
        words(16.0, y + 16.0, "start", &caption)
    )
}

/// Bars on a logarithmic scale, from a tenth of the fastest.
fn ladder(svg: &mut String, mut y: f64, rungs: &[Rung]) -> f64 {
    let seconds = rungs.iter().map(|rung| rung.seconds.max(1e-9).log10());
    let (least, most) =
        seconds.fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(x), most.max(x)));
    for rung in rungs {
        let share = (rung.seconds.max(1e-9).log10() - least + 1.0) / (most - least + 1.0);
        let figures = format!("{}, {:.1}x", time(rung.seconds), rung.times_faster);
        bar(svg, y, rung.name, share, ARITHMETIC, &figures);
        y += LINE;
    }
    y
}

/// Of each kernel the limit that it is nearer to.
fn shares(svg: &mut String, mut y: f64, kernels: &[KernelReport]) -> f64 {
    for kernel in kernels {
        let tokens = if kernel.tokens == 1 { "token" } else { "tokens" };
        let name = format!("{} {}, {} {tokens}", kernel.name, kernel.shape(), kernel.tokens);
        let arithmetic = kernel.share_of_multiply_adds >= kernel.share_of_copy;
        let (share, colour, limit) = match arithmetic {
            true => (kernel.share_of_multiply_adds, ARITHMETIC, "multiply-adds"),
            false => (kernel.share_of_copy, MEMORY, "copying"),
        };
        bar(svg, y, &name, share, colour, &format!("{:.0}% of {limit}", 100.0 * share));
        y += LINE;
    }
    y
}

fn bar(svg: &mut String, y: f64, name: &str, share: f64, colour: &str, figures: &str) {
    // What is said beside the longest bar needs room as well.
    let width = ROOM * 0.72 * share.clamp(0.0, 1.0);
    *svg += &words(LEFT - 10.0, y + 14.0, "end", &escaped(name));
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{y:.0}\" y2=\"{:.0}\" stroke=\"{FRAME}\"/>\
         <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"16\" rx=\"3\" fill=\"{colour}\"/>",
        y + LINE,
        y + 2.0
    );
    *svg += &words(LEFT + width + 6.0, y + 14.0, "start", figures);
}

fn title(svg: &mut String, y: f64, text: &str) -> f64 {
    let _ =
        writeln!(svg, "<text x=\"16\" y=\"{y}\" font-size=\"15\" fill=\"#1f2937\">{text}</text>");
    y + 12.0
}

fn words(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"{anchor}\" fill=\"{TEXT}\">{text}</text>\n"
    )
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", 1e3 * seconds) } else { format!("{seconds:.2} s") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_way_has_a_shorter_bar_and_names_are_escaped() {
        let rung = |name, seconds| Rung {
            name,
            seconds,
            times_faster: 2.0 / seconds,
            same_answers: 1,
            same_as_before: 1,
            decode_steps: 1,
            drafted_tokens: 0,
            accepted_tokens: 0,
        };
        let mut svg = String::new();
        ladder(&mut svg, 0.0, &[rung("a<b", 2.0), rung("c", 0.02)]);
        let widths: Vec<f64> = svg
            .split(" width=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().parse().unwrap())
            .collect();
        assert!(widths[0] > 2.0 * widths[1] && widths[1] > 0.0, "{widths:?}");
        assert!(svg.contains("a&lt;b") && svg.contains("2.00 s, 1.0x") && svg.contains("20.0 ms"));
    }
}
