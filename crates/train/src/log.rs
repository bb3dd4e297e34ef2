//! What a run leaves to look at: `metrics.jsonl`, and the learning curve drawn from it.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::TrainError;
use crate::trainer::{EvaluationReport, StepReport};

const METRICS: &str = "metrics.jsonl";
const CURVE: &str = "curve.svg";

/// The log of a run.
pub(crate) struct Log {
    metrics: PathBuf,
    file: File,
    curve: PathBuf,
}

impl Log {
    /// Opens the log in `folder`: a new one, or (with `resume`) the one that is there, to go on.
    pub(crate) fn open(folder: &Path, resume: bool) -> Result<Self, TrainError> {
        fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let metrics = folder.join(METRICS);
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(resume).truncate(!resume);
        let file = options.open(&metrics).map_err(TrainError::io(&metrics))?;
        Ok(Self { file, metrics, curve: folder.join(CURVE) })
    }

    pub(crate) fn steps(&mut self, report: &StepReport) -> Result<(), TrainError> {
        self.write("steps", report)
    }

    /// Writes an evaluation and draws the curve anew.
    pub(crate) fn evaluation(&mut self, report: &EvaluationReport) -> Result<(), TrainError> {
        self.write("evaluation", report)?;
        let text = fs::read_to_string(&self.metrics).map_err(TrainError::io(&self.metrics))?;
        fs::write(&self.curve, learning_curve(&text)).map_err(TrainError::io(&self.curve))
    }

    fn write<T: Serialize>(&mut self, kind: &str, report: &T) -> Result<(), TrainError> {
        let mut line = serde_json::json!({ "kind": kind });
        if let (Some(line), Ok(Value::Object(report))) =
            (line.as_object_mut(), serde_json::to_value(report))
        {
            line.extend(report);
        }
        writeln!(self.file, "{line}").map_err(TrainError::io(&self.metrics))
    }
}

/// Size of the drawing, and the margins of its plot.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 56.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 44.0;

/// The learning curve of a `metrics.jsonl` as SVG: loss to the left axis, F1 and accuracy to the right one, over steps.
pub fn learning_curve(metrics: &str) -> String {
    let rows: Vec<Value> =
        metrics.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let points = |kind: &str, name: &str| -> Vec<(f64, f64)> {
        let of_kind = rows.iter().filter(|row| row["kind"] == kind);
        of_kind.filter_map(|row| Some((row["step"].as_f64()?, row[name].as_f64()?))).collect()
    };
    let loss = points("steps", "loss");
    let steps = loss.iter().map(|point| point.0).fold(1.0, f64::max);
    let highest = loss.iter().map(|point| point.1).fold(0.1, f64::max);
    let x = |step: f64| LEFT + (WIDTH - LEFT - RIGHT) * step / steps;
    let y = |share: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share.clamp(0.0, 1.0);
    let mut svg = String::new();
    frame(&mut svg, steps, highest, &x, &y);
    let scaled: Vec<(f64, f64)> =
        loss.iter().map(|&(step, loss)| (x(step), y(loss / highest))).collect();
    line(&mut svg, &scaled, "#8a8f98", false);
    for (name, colour) in [("f1", "#0b7a75"), ("accuracy", "#c8553d")] {
        let points: Vec<(f64, f64)> =
            points("evaluation", name).iter().map(|&(step, share)| (x(step), y(share))).collect();
        line(&mut svg, &points, colour, true);
    }
    svg.push_str("</svg>\n");
    svg
}

fn frame(
    svg: &mut String,
    steps: f64,
    highest: f64,
    x: &dyn Fn(f64) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>Learning curve</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let (line_y, step_x) = (y(share), x(steps * share));
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{line_y:.1}\" y2=\"{line_y:.1}\" stroke=\"#e4e6ea\"/>\n\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#6b7280\">{:.2}</text>\n\
             <text x=\"{:.0}\" y=\"{:.1}\" fill=\"#0b7a75\">{:.0}%</text>\n\
             <text x=\"{step_x:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#6b7280\">{:.0}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            line_y + 4.0,
            highest * share,
            WIDTH - RIGHT + 8.0,
            line_y + 4.0,
            share * 100.0,
            HEIGHT - BOTTOM + 18.0,
            steps * share,
        );
    }
    let legend = [
        (LEFT, "#8a8f98", "training loss (left)"),
        (LEFT + 170.0, "#0b7a75", "validation F1"),
        (LEFT + 300.0, "#c8553d", "validation accuracy"),
    ];
    for (at, colour, label) in legend {
        let _ = write!(
            svg,
            "<rect x=\"{at}\" y=\"14\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\n<text x=\"{}\" y=\"20\" fill=\"#374151\">{label}</text>\n",
            at + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#374151\">steps</text>",
        WIDTH / 2.0,
        HEIGHT - 8.0
    );
}

fn line(svg: &mut String, points: &[(f64, f64)], colour: &str, dots: bool) {
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>",
        path.join(" ")
    );
    for (x, y) in points.iter().filter(|_| dots) {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_holds_every_point() {
        let metrics = "{\"kind\":\"steps\",\"step\":10,\"loss\":2.0}\n{\"kind\":\"steps\",\"step\":20,\"loss\":1.0}\n\
                       {\"kind\":\"evaluation\",\"step\":20,\"f1\":0.5,\"accuracy\":0.75}\nnot json\n";
        let svg = learning_curve(metrics);
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert_eq!(svg.matches("<circle").count(), 2);
        // Half of the way, at the top; then the end, halfway down.
        assert!(svg.contains("points=\"360.0,40.0 664.0,178.0\""), "{svg}");
        assert!(learning_curve("").contains("</svg>"));
    }
}
