//! The report to read: one HTML file without anything from elsewhere.

mod calibration;
mod examples;
mod figure;
mod tables;

use std::fmt::Write;

use crate::{Figures, Report};

const STYLE: &str = include_str!("report.css");

/// Draws `report` as an HTML page: headline figures, outcomes, tables, calibration, and the worst examples with their
/// texts. It loads nothing, runs no script, and everything of the data is escaped.
pub fn render_html(report: &Report) -> String {
    let run = &report.run;
    let title = escape(&format!("{} on {}", run.answerer, run.data));
    let sections = [
        headline(report),
        figure::outcomes(&report.strict.counts),
        report.calibration.as_ref().map(calibration::section).unwrap_or_default(),
        tables::section("Categories", "category", &report.categories),
        tables::section("Features", "feature", &report.features),
        examples::section(&report.examples),
        failures(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        sections.concat(),
    )
}

fn headline(report: &Report) -> String {
    let run = &report.run;
    let mut about = format!("{} of {} products", report.answered, report.products);
    if let Some(seconds) = report.seconds_per_product {
        let _ = match seconds {
            seconds if seconds < 0.001 => write!(about, ", less than 1 ms a product"),
            seconds => write!(about, ", {seconds:.3} s a product"),
        };
    }
    let mut html = format!(
        "<header>\n<h1>{}</h1>\n<p>{}, {about}</p>\n</header>\n<section class=\"cards\">\n",
        escape(&run.answerer),
        escape(&run.data)
    );
    let Figures { accuracy, wrong, invented, .. } = report.strict;
    let cards = [
        ("F1", report.published.f1, "published: the features that the dataset scores"),
        ("Strict F1", report.strict.f1, "over all features"),
        ("Accuracy", accuracy, "of all features, \u{201c}none\u{201d} included"),
        ("Wrong", wrong, "of the values there are, answered with another"),
        ("Invented", invented, "of the features without a value"),
    ];
    for (name, share, what) in cards {
        let _ = writeln!(
            html,
            "<div class=\"card\"><h2>{name}</h2><p class=\"big\">{}</p><p>{what}</p></div>",
            percent(share)
        );
    }
    html + "</section>\n"
}

fn failures(report: &Report) -> String {
    let failures = &report.run.failures;
    if failures.is_empty() {
        return String::new();
    }
    let items: String = failures
        .iter()
        .map(|(id, why)| format!("<li><b>{}</b> {}</li>\n", escape(id), escape(why)))
        .collect();
    format!(
        "<section>\n<h2>Not answered</h2>\n<p>These products count nowhere above.</p>\n<ul>\n{items}</ul>\n</section>\n"
    )
}

/// A share in percent, with one decimal.
fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// `text` as HTML text or attribute value.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => {
                escaped.push(char::REPLACEMENT_CHARACTER)
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_products::product;
    use crate::{Prediction, Run, read_predictions};

    fn page() -> String {
        let evil = "<script>alert('x')</script> & \"Red\"";
        let features = r#"{"<img src=x>":"Red","Size":null}"#;
        let products = [
            product("<b>1</b>", "<i>Shoes</i>", evil, features),
            product("2", "Lamps", "Lamp", r#"{"A":null}"#),
        ];
        let line = r#"{"id":"<b>1</b>","answers":{"<img src=x>":"<script>","Size":"%"},"confidence":{"Size":0.7}}"#;
        let predictions: Vec<Prediction> = read_predictions(line).map(Result::unwrap).collect();
        let run = Run {
            answerer: "<u>me</u>".to_owned(),
            data: "a&b".to_owned(),
            failures: [("<s>2</s>".to_owned(), "too <long>".to_owned())].into_iter().collect(),
        };
        render_html(&Report::new(run, &products, &predictions))
    }

    #[test]
    fn nothing_of_the_data_is_markup() {
        let page = page();
        for markup in ["<script", "<img", "<b>1", "<i>Shoes", "<u>", "<s>", "<long>", "a&b"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;"));
        assert_eq!(escape("\u{1b}[31m"), "\u{FFFD}[31m");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = page();
        for reference in ["http:", "https:", "src=\"", "@import", "url("] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn every_element_is_closed() {
        let page = page();
        let mut open: Vec<&str> = Vec::new();
        for tag in page.split('<').skip(1).filter_map(|part| part.split('>').next()) {
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') && !["!doctype", "meta"].contains(&name) {
                open.push(name);
            }
        }
        assert_eq!(open, [""; 0]);
        assert!(page.contains("Not answered") && page.contains("<svg"));
    }
}
