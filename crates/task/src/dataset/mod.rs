//! Products with known features, and what is done with a whole list of them.

mod balance;
mod check;
mod export;
mod product;
mod random;
mod similar;
mod split;
mod stats;

pub use balance::{BalanceError, Balanced, balance};
pub use check::{Fault, NamedRows, Problem, check};
pub use export::{
    ColumnError, Columns, Export, FeatureColumn, Missing, MissingValue, Record, product_of_record,
};
pub use product::{Product, Row, parse_jsonl, read_jsonl, read_rows};
pub use similar::{NEAR, Near, near_pairs};
pub use split::{ShareError, Shares, Split, split};
pub use stats::{CategoryStats, FeatureStats, Lengths, Stats, stats};
