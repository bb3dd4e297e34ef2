//! Which form of the product computes how many tokens with which matrix.
//!
//! `table.tsv` says it, as `hangtag bench --tune --write` writes it: per class of GPU, for the matrices of some models and
//! for numbers of tokens, one of the forms below. A matrix that was not measured takes the forms of the nearest one.

mod class;
mod table;

pub use class::Class;
pub use table::{Point, TableError, read_table, write_table};

use std::sync::OnceLock;

use crate::gpu::Tier;
use crate::kernel::{Form, Inner};
use crate::matrix::MatrixFormat;

const fn float(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Float }
}

const fn integer(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Integer }
}

const fn tiled(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Tiled }
}

/// The forms of exact products, from few tokens to many.
pub(crate) const FLOAT_FORMS: [Form; 7] = [
    float(4, 32, 1, 1),
    float(8, 16, 1, 1),
    float(8, 16, 1, 2),
    float(8, 8, 1, 4),
    float(8, 4, 4, 4),
    tiled(8, 4, 4, 4),
    tiled(16, 2, 4, 8),
];

/// The forms of products that may round their input.
pub(crate) const INTEGER_FORMS: [Form; 6] = [
    integer(8, 32, 1, 1),
    integer(16, 8, 1, 1),
    integer(8, 16, 1, 2),
    integer(16, 8, 1, 2),
    integer(16, 4, 2, 2),
    integer(16, 2, 4, 2),
];

/// Whether products with weights of a format round their input, unless they are to be `exact`.
pub(crate) fn is_integer(tier: Tier, format: MatrixFormat, exact: bool) -> bool {
    tier.integer_dot && format.has_scales() && !exact
}

/// The forms that the engine has: for products that round their input (`integer`), or for exact ones.
#[must_use]
pub fn forms(integer: bool) -> &'static [Form] {
    if integer { &INTEGER_FORMS } else { &FLOAT_FORMS }
}

/// The forms of a matrix's products, by number of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The least number of tokens of each form, ascending from 1.
    from: Vec<(usize, Form)>,
}

impl Choice {
    /// For products of a (rows, columns) matrix on GPUs of a class.
    pub(crate) fn new(class: Class, integer: bool, size: (usize, usize)) -> Self {
        Self::of(points(), class, integer, size)
    }

    fn of(table: &[Point], class: Class, integer: bool, size: (usize, usize)) -> Self {
        let of_class = |class: Class| {
            let suits = move |point: &&Point| point.class == class && point.is_integer() == integer;
            table.iter().filter(suits)
        };
        let class = if of_class(class).next().is_some() { class } else { Class::DEFAULT };
        let distance = |point: &&Point| point.distance(size);
        let nearest = of_class(class).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let mut measured: Vec<&Point> = of_class(class)
            .filter(|point| nearest.is_some_and(|near| near.size() == point.size()))
            .collect();
        measured.sort_by_key(|point| point.tokens);
        let mut from = vec![(1, measured.first().map_or(forms(integer)[0], |point| point.form))];
        for pair in measured.windows(2) {
            if pair[0].form != pair[1].form {
                // Halfway as kernels' times go: by ratio.
                let halfway = ((pair[0].tokens * pair[1].tokens) as f64).sqrt().ceil();
                from.push((halfway as usize, pair[1].form));
            }
        }
        Self { from }
    }

    /// The form for a product with so many tokens.
    pub(crate) fn form(&self, tokens: usize) -> Form {
        self.from[self.place(tokens)].1
    }

    /// The place of that form among [`Self::forms`].
    pub(crate) fn place(&self, tokens: usize) -> usize {
        self.from.partition_point(|(from, _)| *from <= tokens).saturating_sub(1)
    }

    /// Leaves out what more than `most` tokens would need.
    pub(crate) fn up_to(mut self, most: usize) -> Self {
        self.from.truncate(self.place(most) + 1);
        self
    }

    /// The forms, from few tokens to many.
    pub(crate) fn forms(&self) -> impl Iterator<Item = Form> {
        self.from.iter().map(|(_, form)| *form)
    }
}

/// The table that the engine is built with.
fn points() -> &'static [Point] {
    static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
    // A test reads the table; a build with a broken one would take the first form for everything.
    POINTS.get_or_init(|| read_table(include_str!("table.tsv")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(class: Class, size: (usize, usize), tokens: usize, form: Form) -> Point {
        Point { class, rows: size.0, columns: size.1, tokens, form }
    }

    #[test]
    fn the_tables_forms_are_the_engines_and_every_kind_is_there() {
        let table = read_table(include_str!("table.tsv")).unwrap();
        for integer in [false, true] {
            let of_default = |p: &&Point| p.class == Class::DEFAULT && p.is_integer() == integer;
            assert!(table.iter().filter(of_default).count() > 20);
        }
        assert_eq!(points(), table);
    }

    #[test]
    fn the_nearest_matrix_and_the_tokens_decide() {
        let [small, middle, large] = [FLOAT_FORMS[0], FLOAT_FORMS[3], FLOAT_FORMS[6]];
        let table = [
            point(Class::Nvidia, (1000, 500), 64, middle),
            point(Class::Nvidia, (1000, 500), 1, small),
            point(Class::Nvidia, (50_000, 500), 1, large),
            point(Class::Amd, (1000, 500), 1, large),
        ];
        let of = |class, size| Choice::of(&table, class, false, size);
        let near = of(Class::Nvidia, (2000, 600));
        assert_eq!([1, 7, 8, 512].map(|tokens| near.form(tokens)), [small, small, middle, middle]);
        assert_eq!([7, 8].map(|tokens| near.place(tokens)), [0, 1]);
        assert_eq!(near.clone().up_to(7).forms().collect::<Vec<_>>(), [small]);
        assert_eq!(near.clone().up_to(8), near);
        assert_eq!(of(Class::Nvidia, (30_000, 500)).form(1), large);
        assert_eq!(of(Class::Amd, (1000, 500)).form(1), large);
        // A class that was not measured takes the default's; a kind that was not, the first form.
        assert_eq!(of(Class::Intel, (2000, 600)), near);
        let rounded = Choice::of(&table, Class::Nvidia, true, (1000, 500));
        assert_eq!(rounded.form(100), INTEGER_FORMS[0]);
    }
}
