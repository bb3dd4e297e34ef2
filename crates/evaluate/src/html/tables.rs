//! Figures per category and per feature.

use std::fmt::Write;

use super::{escape, percent};
use crate::Group;

/// Rows shown at once; the others open on demand.
const ROWS_SHOWN: usize = 20;

pub(super) fn section(title: &str, what: &str, groups: &[Group]) -> String {
    let (shown, more) = groups.split_at(groups.len().min(ROWS_SHOWN));
    let mut html = format!("<section>\n<h2>{title}</h2>\n{}", table(what, shown));
    if !more.is_empty() {
        let _ = writeln!(
            html,
            "<details><summary>{} more</summary>\n{}</details>",
            more.len(),
            table(what, more)
        );
    }
    html + "</section>\n"
}

fn table(what: &str, groups: &[Group]) -> String {
    let mut html = format!(
        "<div class=\"scroll\"><table>\n<thead><tr><th>{what}</th><th>pairs</th><th class=\"share\">strict F1</th>\
         <th>precision</th><th>recall</th><th>wrong</th><th>invented</th></tr></thead>\n<tbody>\n"
    );
    for Group { name, figures } in groups {
        let _ = writeln!(
            html,
            "<tr><th>{}</th><td>{}</td><td class=\"share\"><span class=\"meter\" style=\"width:calc((100% - 4.5rem) * {:.3})\"></span>\
             <span>{}</span></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            figures.counts.total(),
            figures.f1,
            percent(figures.f1),
            percent(figures.precision),
            percent(figures.recall),
            percent(figures.wrong),
            percent(figures.invented),
        );
    }
    html + "</tbody>\n</table></div>\n"
}

#[cfg(test)]
mod tests {
    use hangtag_task::metrics::Counts;

    use super::*;

    #[test]
    fn many_rows_open_on_demand() {
        let group = |name: usize| Group {
            name: format!("F{name}"),
            figures: Counts { vc: 3, vw: 1, ..Counts::default() }.into(),
        };
        let groups: Vec<Group> = (0..25).map(group).collect();
        let html = section("Features", "feature", &groups);
        assert!(html.contains("<summary>5 more</summary>"));
        assert_eq!(html.matches("<td>4</td>").count(), 25);
        assert!(!section("Features", "feature", &groups[..20]).contains("details"));
    }
}
