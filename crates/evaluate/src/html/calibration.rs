//! Reliability and risk-coverage, drawn.

use std::fmt::Write;

use super::percent;
use crate::{Bin, Calibration, RiskPoint};

/// Side of the square that is plotted in, and the space around it for axes.
const SIDE: f64 = 240.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

pub(super) fn section(calibration: &Calibration) -> String {
    let Calibration { answers, ece, bins, risk_coverage, aurc } = calibration;
    format!(
        "<section>\n<h2>Confidence</h2>\n<div class=\"plots\">\n\
         <figure>{}<figcaption>Reliability of {answers} answers: a bar on the line is as often right as it is sure. \
         Expected calibration error {}.</figcaption></figure>\n\
         <figure>{}<figcaption>Errors if only the surest answers are taken; mean over all shares {}.</figcaption></figure>\n\
         </div>\n</section>\n",
        reliability(bins),
        percent(*ece),
        risk(risk_coverage),
        percent(*aurc),
    )
}

fn x(share: f64) -> f64 {
    LEFT + SIDE * share
}

fn y(share: f64) -> f64 {
    TOP + SIDE * (1.0 - share)
}

fn reliability(bins: &[Bin]) -> String {
    let mut svg = begin("Reliability");
    for bin in bins.iter().filter(|bin| bin.answers > 0) {
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} answers, {} sure, \
             {} right</title></rect>",
            x(bin.from) + 1.0,
            y(bin.accuracy),
            SIDE * (bin.to - bin.from) - 2.0,
            SIDE * bin.accuracy,
            bin.answers,
            percent(bin.confidence),
            percent(bin.accuracy),
        );
    }
    let _ = writeln!(
        svg,
        "<line class=\"guide\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    axes(&mut svg, 1.0, "confidence", "share right");
    svg + "</svg>\n"
}

fn risk(points: &[RiskPoint]) -> String {
    let mut svg = begin("Risk and coverage");
    let highest = points.iter().map(|point| point.risk).fold(0.0, f64::max);
    // The lowest of these that the curve fits under; each has a quarter in whole percents.
    let tops = [0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8];
    let top = tops.into_iter().find(|top| highest <= *top).unwrap_or(1.0);
    let line: Vec<String> = points
        .iter()
        .map(|point| format!("{:.1},{:.1}", x(point.coverage), y(point.risk / top)))
        .collect();
    let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    axes(&mut svg, top, "share of answers taken", "share not right");
    svg + "</svg>\n"
}

fn begin(label: &str) -> String {
    let (width, height) = (LEFT + SIDE + 24.0, TOP + SIDE + BOTTOM);
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">\n")
}

/// Lines and figures of both axes; the vertical one goes up to `top`.
fn axes(svg: &mut String, top: f64, horizontal: &str, vertical: &str) {
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (x, y) = (x(share), y(share));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\
             <text class=\"tick\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{:.0}%</text>\
             <text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0}%</text>",
            LEFT + SIDE,
            TOP + SIDE + 16.0,
            share * 100.0,
            LEFT - 6.0,
            y + 4.0,
            share * top * 100.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{horizontal}</text>\
         <text class=\"tick\" transform=\"translate(10 {}) rotate(-90)\" text-anchor=\"middle\">{vertical}</text>",
        LEFT + SIDE / 2.0,
        TOP + SIDE + 36.0,
        TOP + SIDE / 2.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Judged;

    #[test]
    fn bars_are_as_high_as_answers_are_right() {
        let answers = [(0.95, true), (0.92, true), (0.15, false), (0.12, true)];
        let judged = answers
            .map(|(confidence, correct)| Judged { confidence, has_value: true, correct })
            .to_vec();
        let html = section(&Calibration::new(judged).unwrap());
        assert!(html.contains("y=\"12.0\" width=\"22.0\" height=\"240.0\""), "{html}");
        assert!(html.contains("height=\"120.0\""));
        assert_eq!(html.matches("class=\"bar\"").count(), 2);
    }
}
