//! The tables that people read.

use console::{Alignment, Style, measure_text_width, pad_str};
use hangtag_task::FeatureValue;

const HEADINGS: [&str; 4] = ["FEATURE", "VALUE", "SURE", "PLACE IN TEXT"];

/// One line a feature under a heading, columns aligned, colours only if asked.
pub fn render(features: &[FeatureValue], colours: bool) -> String {
    let rows: Vec<[String; 4]> = features.iter().map(cells).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    let style = |style: Style| style.force_styling(colours);
    let mut table = line(
        &HEADINGS.map(str::to_owned),
        &widths,
        &style(Style::new().bold()),
        &style(Style::new().bold()),
    );
    for (row, feature) in rows.iter().zip(features) {
        let value = match (&feature.value, &feature.span) {
            (None, _) => Style::new().dim(),
            (Some(_), Some(_)) => Style::new().green(),
            (Some(_), None) => Style::new().yellow(),
        };
        table += &line(row, &widths, &style(Style::new()), &style(value));
    }
    table
}

/// Rows under a heading, the first column to the left and the others, figures, to the right.
pub fn columns(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
    let mut rows: Vec<Vec<String>> = rows.into_iter().collect();
    rows.insert(0, headings);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| {
            cells(column).map(|cell| measure_text_width(&printable(cell))).max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for row in &rows {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let alignment = if column == 0 { Alignment::Left } else { Alignment::Right };
            let space = if column == 0 { "" } else { "  " };
            table += space;
            table += &pad_str(&printable(cell), width, alignment, None);
        }
        table.push('\n');
    }
    table
}

fn line(cells: &[String; 4], widths: &[usize; 4], plain: &Style, value: &Style) -> String {
    let [feature, answer, sure, place] = cells;
    let pad =
        |text: &str, width: usize, alignment| pad_str(text, width, alignment, None).into_owned();
    format!(
        "{}  {}  {}  {}\n",
        plain.apply_to(pad(feature, widths[0], Alignment::Left)),
        value.apply_to(pad(answer, widths[1], Alignment::Left)),
        plain.apply_to(pad(sure, widths[2], Alignment::Right)),
        plain.apply_to(place),
    )
}

fn cells(feature: &FeatureValue) -> [String; 4] {
    let place = match (&feature.value, &feature.span) {
        (_, Some(span)) => format!("{}-{}", span.start, span.end),
        (Some(_), None) => "not in the text".to_owned(),
        (None, None) => String::new(),
    };
    [
        printable(&feature.name),
        printable(feature.value.as_deref().unwrap_or("none")),
        sure(feature.confidence),
        place,
    ]
}

/// A probability in percent; one that is not zero does not look like zero.
fn sure(confidence: f32) -> String {
    match confidence * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => "<1%".to_owned(),
        percent => format!("{percent:.0}%"),
    }
}

/// `text` without control characters: a description must not steer the terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::Span;

    fn feature(name: &str, value: Option<&str>, span: Option<(usize, usize)>) -> FeatureValue {
        FeatureValue {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            confidence: 0.874,
            span: span.map(|(start, end)| Span { start, end }),
        }
    }

    #[test]
    fn columns_align_whatever_the_script() {
        let table = render(
            &[
                feature("Brand", Some("Nike"), Some((0, 4))),
                feature("色", Some("赤い木綿"), None),
                feature("Size", None, None),
            ],
            false,
        );
        assert_eq!(
            table,
            "FEATURE  VALUE     SURE  PLACE IN TEXT\n\
             Brand    Nike       87%  0-4\n\
             色       赤い木綿   87%  not in the text\n\
             Size     none       87%  \n"
        );
    }

    #[test]
    fn figures_stand_to_the_right() {
        let rows =
            [vec!["Hats".to_owned(), "7".to_owned()], vec!["\u{1b}".to_owned(), "1000".to_owned()]];
        assert_eq!(columns(&["NAME", "ROWS"], rows), "NAME  ROWS\nHats     7\n\u{FFFD}     1000\n");
    }

    #[test]
    fn escape_sequences_of_a_description_are_not_passed_on() {
        let table = render(&[feature("a", Some("\u{1b}[31mred\u{7}"), None)], false);
        assert!(!table.contains('\u{1b}') && !table.contains('\u{7}'));
        assert!(table.contains("\u{FFFD}[31mred\u{FFFD}"));
    }

    #[test]
    fn small_confidence_does_not_look_like_none() {
        assert_eq!([0.0, 0.0004, 0.0149, 1.0].map(sure), ["0%", "<1%", "1%", "100%"]);
    }

    #[test]
    fn colours_only_when_asked() {
        let features = [feature("a", Some("red"), None)];
        assert!(render(&features, true).contains("\u{1b}[33m"));
        assert!(!render(&features, false).contains('\u{1b}'));
    }
}
