//! How many drafted tokens a step tries.
//!
//! An answer that is a piece of the text goes on as the text does, so that most of its tokens can be guessed and several be computed
//! in one step (Yang et al. 2023, "Inference with Reference"). Only what the model chooses itself is kept (Leviathan et al. 2023, for
//! greedy decoding): an answer is the same with any drafts or none.

use crate::constraint::Constraint;
use crate::engine::Job;
use crate::rows::{Row, Wave};

/// Whether rows try what a constraint drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Speculation {
    /// Never: a step makes one token of each row.
    Off,
    /// As many tokens as pay, by what the engine's steps have taken so far.
    #[default]
    Measured,
    /// So many of each row at most, whatever they cost.
    Fixed(usize),
}

/// The chance that a drafted token is right if those before it are, before anything is known of a model: as measured with the default
/// one (`docs/performance.md`).
const CHANCE: f64 = 0.6;

/// Tries that [`CHANCE`] counts as.
const CHANCE_TRIES: f64 = 8.0;

/// Tokens of a draft that may pay at all.
const LONGEST: usize = 16;

impl Speculation {
    fn longest(self) -> usize {
        match self {
            Speculation::Off => 0,
            Speculation::Measured => LONGEST,
            Speculation::Fixed(count) => count,
        }
    }

    /// How many tokens of each of `drafts` a step tries that has room for `room` tokens, the rows' own included.
    pub(crate) fn count(self, pace: &Pace, drafts: &[Vec<u32>], room: usize) -> usize {
        let lengths: Vec<usize> = drafts.iter().map(Vec::len).collect();
        self.count_of(pace, &lengths, room)
    }

    /// Tokens of the first step of `rows` rows, if all of them had drafts.
    pub(crate) fn first_step(self, pace: &Pace, rows: usize, room: usize) -> usize {
        rows * (1 + self.count_of(pace, &vec![self.longest(); rows], room))
    }

    /// One more of each, as long as the chance that it is right is more than the tokens that the step brings for the cost of a
    /// token so far: then it brings more in the same time.
    fn count_of(self, pace: &Pace, lengths: &[usize], room: usize) -> usize {
        let (overhead, chance_of_one) = (pace.cost.overhead(), pace.luck.chance());
        let rows = lengths.len();
        let (mut tokens, mut brought) = (rows, rows as f64);
        for count in 0..self.longest() {
            let more = lengths.iter().filter(|length| **length > count).count();
            let chance = chance_of_one.powi(count as i32 + 1);
            let pays = chance * (overhead + tokens as f64) > brought;
            if more == 0 || tokens + more > room || (self == Speculation::Measured && !pays) {
                return count;
            }
            brought += chance * more as f64;
            tokens += more;
        }
        self.longest()
    }
}

/// What the constraints guess of each row of the wave, up to what would end it or is no token.
pub(crate) fn drafts(
    speculation: Speculation,
    wave: &Wave,
    jobs: &[&Job],
    constraints: &[Option<&dyn Constraint>],
    vocab_size: usize,
) -> Vec<Vec<u32>> {
    let draft = |row: &Row| {
        // Behind its last token a row asks for nothing.
        let count = speculation.longest().min(row.left().saturating_sub(1));
        let Some(constraint) = constraints[row.job].filter(|_| count > 0) else {
            return Vec::new();
        };
        let guess = constraint.draft(row.index, &row.answer(), count).into_iter().take(count);
        let goes_on =
            |id: &u32| (*id as usize) < vocab_size && !jobs[row.job].stop_tokens.contains(id);
        guess.take_while(goes_on).collect()
    };
    wave.rows().iter().map(draft).collect()
}

/// What the steps so far tell about the next one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// What steps take.
    pub cost: StepCost,
    /// How often drafts are right.
    pub luck: Luck,
}

/// How much an earlier step weighs beside the next one.
const FADING: f64 = 0.9;

/// How often a drafted token behind right ones was right. A model that goes its own way is soon no longer asked; as its steps fade, it is
/// asked again.
#[derive(Debug, Default)]
pub(crate) struct Luck {
    tried: f64,
    right: f64,
}

impl Luck {
    /// Takes note of a decode step, of which each row had a draft of so many tokens (none counts) and so many of them right.
    pub fn record(&mut self, rows: impl IntoIterator<Item = (usize, usize)>) {
        let (mut tried, mut right) = (0, 0);
        for (drafted, were_right) in rows {
            // Behind a wrong one nothing was put to the test.
            tried += drafted.min(were_right + 1);
            right += were_right;
        }
        self.tried = FADING * self.tried + tried as f64;
        self.right = FADING * self.right + right as f64;
    }

    fn chance(&self) -> f64 {
        (self.right + CHANCE * CHANCE_TRIES) / (self.tried + CHANCE_TRIES)
    }
}

/// The overhead taken before it can be told.
const UNKNOWN_OVERHEAD: f64 = 64.0;

/// What a step takes: some time whatever it does, and some for each token. A line through the steps so far (least squares), of which
/// later ones weigh more.
#[derive(Debug, Default)]
pub(crate) struct StepCost {
    weight: f64,
    tokens: f64,
    seconds: f64,
    tokens_squared: f64,
    tokens_by_seconds: f64,
}

impl StepCost {
    pub fn record(&mut self, tokens: usize, seconds: f64) {
        let tokens = tokens as f64;
        let sums = [
            (&mut self.weight, 1.0),
            (&mut self.tokens, tokens),
            (&mut self.seconds, seconds),
            (&mut self.tokens_squared, tokens * tokens),
            (&mut self.tokens_by_seconds, tokens * seconds),
        ];
        for (sum, new) in sums {
            *sum = FADING * *sum + new;
        }
    }

    /// The tokens that take as long as a step takes whatever it does.
    fn overhead(&self) -> f64 {
        let spread = self.weight * self.tokens_squared - self.tokens * self.tokens;
        if spread <= 1e-3 * self.weight * self.tokens_squared {
            return UNKNOWN_OVERHEAD;
        }
        let together = self.weight * self.tokens_by_seconds - self.tokens * self.seconds;
        let a_token = together / spread;
        let fixed = (self.seconds - a_token * self.tokens) / self.weight;
        if a_token <= 0.0 { f64::MAX } else { (fixed / a_token).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_that_are_wrong_are_given_up_and_tried_again_later() {
        let mut pace = Pace { cost: cost(200.0), luck: Luck::default() };
        let count = |pace: &Pace| Speculation::Measured.count_of(pace, &[16; 50], 256);
        assert_eq!(count(&pace), 2);
        pace.luck.record([(2, 0); 50]);
        assert_eq!(count(&pace), 0);
        for _ in 0..60 {
            pace.luck.record([(0, 0); 50]);
        }
        assert_eq!(count(&pace), 2);
        for _ in 0..20 {
            pace.luck.record([(2, 2); 50]);
        }
        assert_eq!(count(&pace), 4);
    }

    /// Steps of 1 to 400 tokens, each of which takes as long as `overhead` tokens and its own.
    fn cost(overhead: f64) -> StepCost {
        let mut cost = StepCost::default();
        for tokens in [300, 1, 50, 400, 8] {
            cost.record(tokens, 1e-5 * (overhead + tokens as f64));
        }
        cost
    }

    fn count(overhead: f64, lengths: &[usize], room: usize) -> usize {
        let pace = Pace { cost: cost(overhead), luck: Luck::default() };
        Speculation::Measured.count_of(&pace, lengths, room)
    }

    #[test]
    fn the_overhead_is_that_of_the_steps() {
        assert!((cost(200.0).overhead() - 200.0).abs() < 1e-6);
        let mut changed = cost(200.0);
        for tokens in [10, 90].repeat(40) {
            changed.record(tokens, 1e-3 * (20.0 + tokens as f64));
        }
        assert!((changed.overhead() - 20.0).abs() < 1.0, "{}", changed.overhead());
    }

    #[test]
    fn steps_that_do_not_tell_leave_the_overhead_open() {
        let mut cost = StepCost::default();
        assert_eq!(cost.overhead(), UNKNOWN_OVERHEAD);
        for seconds in [1.0, 2.0, 1.5] {
            cost.record(50, seconds);
        }
        assert_eq!(cost.overhead(), UNKNOWN_OVERHEAD);
        // As long for many tokens as for few: they cost nothing.
        let mut free = StepCost::default();
        [(400, 1.0), (4, 1.0), (100, 1.0)].iter().for_each(|(n, s)| free.record(*n, *s));
        assert!(free.overhead() > 1e6);
    }

    #[test]
    fn few_rows_try_more_and_costly_tokens_fewer() {
        let tried = |overhead, rows| count(overhead, &vec![16; rows], 256);
        assert_eq!([1, 10, 50].map(|rows| tried(200.0, rows)), [8, 4, 2]);
        assert_eq!([1, 10, 50].map(|rows| tried(20.0, rows)), [4, 1, 0]);
        assert_eq!([tried(0.0, 1), tried(10.0, 50)], [0, 0]);
    }

    #[test]
    fn no_step_is_larger_than_its_room_and_no_draft_longer_than_it_is() {
        assert_eq!(count(1e9, &[16; 64], 256), 3);
        assert_eq!(count(1e9, &[16; 64], 64), 0);
        assert_eq!(count(1e9, &[0, 0, 5], 256), 5);
        assert_eq!(count(1e9, &[], 256), 0);
        let pace = |overhead| Pace { cost: cost(overhead), luck: Luck::default() };
        assert_eq!(Speculation::Fixed(2).count_of(&pace(0.0), &[16; 10], 256), 2);
        assert_eq!(Speculation::Fixed(40).count_of(&pace(0.0), &[16; 10], 64), 5);
        assert_eq!(Speculation::Off.count_of(&pace(1e9), &[16; 10], 256), 0);
    }
}
