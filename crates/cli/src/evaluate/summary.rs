//! The figures as people read them in a terminal.

use hangtag_evaluate::{Figures, Group, Report};

use crate::table::columns;

/// Features that are listed; `--json` and `--report` give all.
const FEATURES_SHOWN: usize = 30;

/// Headline figures and tables.
pub fn render(report: &Report) -> String {
    let run = &report.run;
    let mut text = format!(
        "{} on {}: {} of {} products",
        run.answerer, run.data, report.answered, report.products
    );
    if let Some(seconds) = report.seconds_per_product {
        text += &match seconds {
            seconds if seconds < 0.001 => ", less than 1 ms each".to_owned(),
            seconds => format!(", {seconds:.3} s each"),
        };
    }
    if report.unknown > 0 {
        text += &format!(
            "; {} answers are for products that the dataset does not have",
            report.unknown
        );
    }
    text += "\n\n";
    let metrics = [("published", &report.published), ("strict", &report.strict)];
    text += &columns(
        &["METRIC", "PAIRS", "F1", "PRECISION", "RECALL", "ACCURACY", "WRONG", "INVENTED"],
        metrics.map(|(name, figures)| row(name, figures)),
    );
    for (heading, groups) in [("CATEGORY", &report.categories), ("FEATURE", &report.features)] {
        text.push('\n');
        text += &table(heading, groups);
    }
    if let Some(calibration) = &report.calibration {
        text += &format!(
            "\nExpected calibration error {} over {} answers\n",
            percent(calibration.ece),
            calibration.answers
        );
    }
    text
}

fn table(heading: &str, groups: &[Group]) -> String {
    let rows = groups.iter().take(FEATURES_SHOWN).map(|group| row(&group.name, &group.figures));
    let headings =
        [heading, "PAIRS", "STRICT F1", "PRECISION", "RECALL", "ACCURACY", "WRONG", "INVENTED"];
    match groups.len().saturating_sub(FEATURES_SHOWN) {
        0 => columns(&headings, rows),
        more => {
            columns(&headings, rows)
                + &format!("... and {more} more; --json and --report give all\n")
        }
    }
}

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let shares = [
        figures.f1,
        figures.precision,
        figures.recall,
        figures.accuracy,
        figures.wrong,
        figures.invented,
    ];
    let mut row = vec![name.to_owned(), figures.counts.total().to_string()];
    row.extend(shares.map(percent));
    row
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
