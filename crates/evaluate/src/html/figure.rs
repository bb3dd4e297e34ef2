//! What became of all pairs, as a figure with two sides: what the text says, and what was answered.

use std::fmt::Write;

use hangtag_task::metrics::Counts;

use super::percent;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
/// Space for the captions.
const LEFT: f64 = 4.0;
const TOP: f64 = 46.0;

/// One outcome's part of a side.
struct Part {
    class: &'static str,
    name: &'static str,
    what: &'static str,
    count: usize,
}

/// A mosaic: the width of a side is its share of all pairs, the height of a part its share of the side.
pub(super) fn outcomes(counts: &Counts) -> String {
    let part = |class, name, what, count| Part { class, name, what, count };
    let with_value = [
        part("good", "VC", "correct", counts.vc),
        part("bad", "VW", "wrong", counts.vw),
        part("missed", "VN", "missed", counts.vn),
    ];
    let without =
        [part("good", "NN", "rightly none", counts.nn), part("bad", "NV", "invented", counts.nv)];
    let total = counts.total();
    let mut svg = format!(
        "<svg class=\"wide\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Outcomes of all pairs\">\n"
    );
    let sum = |parts: &[Part]| parts.iter().map(|part| part.count).sum::<usize>();
    let gap = 6.0;
    let room = WIDTH - 2.0 * LEFT - gap;
    // A side of few pairs stays wide enough to be read.
    let share = if total == 0 { 0.5 } else { sum(&with_value) as f64 / total as f64 };
    let width = room * share.clamp(0.35, 0.65);
    side(&mut svg, "Text gives a value", &with_value, LEFT, width);
    side(&mut svg, "Text gives none", &without, LEFT + width + gap, room - width);
    svg += "</svg>\n";
    format!(
        "<section>\n<h2>Outcomes</h2>\n<p>All {total} pairs of product and feature. The height of a field is its share \
         of the side.</p>\n{svg}{}</section>\n",
        legend(with_value.iter().chain(&without), total)
    )
}

fn side(svg: &mut String, caption: &str, parts: &[Part], x: f64, width: f64) {
    let total: usize = parts.iter().map(|part| part.count).sum();
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"18\" class=\"caption\">{caption}</text>\
         <text x=\"{x}\" y=\"36\" class=\"small\">{total} pairs</text>"
    );
    let mut y = TOP;
    for part in parts {
        let share = part.count as f64 / total.max(1) as f64;
        let height = (HEIGHT - TOP) * share;
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\"></rect>",
            part.class,
            (height - 2.0).max(0.0)
        );
        // A field that is too low for its caption has it in the list below.
        if height > 22.0 {
            let _ = writeln!(
                svg,
                "<text class=\"inside\" x=\"{:.1}\" y=\"{:.1}\">{} {} {}</text>",
                x + 10.0,
                y + height / 2.0 + 5.0,
                part.name,
                part.what,
                percent(share)
            );
        }
        y += height;
    }
}

fn legend<'a>(parts: impl Iterator<Item = &'a Part>, total: usize) -> String {
    let items: String = parts
        .map(|part| {
            format!(
                "<li><span class=\"key {}\"></span>{} {}: {} ({})</li>\n",
                part.class,
                part.name,
                part.what,
                part.count,
                percent(part.count as f64 / total.max(1) as f64)
            )
        })
        .collect();
    format!("<ul class=\"legend\">\n{items}</ul>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_shares_of_a_side() {
        let html = outcomes(&Counts { nn: 3, nv: 1, vn: 0, vc: 1, vw: 1 });
        assert!(html.contains("NN rightly none 75.0%") && html.contains("VC correct 50.0%"));
        // Of 254 units, without the gap of 2.
        assert!(html.contains("height=\"188.5\"") && html.contains("height=\"125.0\""), "{html}");
        assert!(html.contains("VN missed: 0 (0.0%)"));
    }

    #[test]
    fn nothing_at_all_is_drawn_without_nan() {
        assert!(!outcomes(&Counts::default()).contains("NaN"));
    }
}
