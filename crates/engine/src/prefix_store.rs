//! Which prefixes stand in the KV cache, and where.
//!
//! The cache's size is fixed when the model is loaded; the store only shares out its slots. What is kept costs nobody
//! anything: it leaves when jobs need its slots, the least recently used first.

use std::ops::Range;

/// The prefixes whose keys and values are kept from job to job.
///
/// A row reads its prefix from one run of slots, so two prefixes cannot share the slots of what they have in common. A
/// prefix that differs from a kept one behind a common part therefore either goes on in that one's slots, whose rest
/// is then forgotten, or is computed whole in slots of its own. It goes on where this saves at least as many tokens as
/// it forgets, those of neighbours that stand in the way counted: the saving is certain, the loss only possible. So an
/// edited text takes the place of its former self (but not where a prompt holds it twice: what both have in common ends in
/// the first reading, and is less than half), and two texts that begin with the same heading are both kept. What
/// must leave for want of room is no loss: if it has a quarter of a job's prefix, the job goes on there.
#[derive(Debug, Clone)]
pub(crate) struct PrefixStore {
    slots: usize,
    /// The least recently used first. None is empty, and no two have a slot in common.
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    /// Its first slot.
    first: usize,
    tokens: Vec<u32>,
    /// Tokens, from the first on, whose keys and values stand in the cache.
    written: usize,
    /// Tokens, from the first on, that the jobs in progress see.
    in_use: usize,
    /// It must make room, unless one of the jobs goes on in its slots.
    leaves: bool,
}

/// Where a job's prefix stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its first slot; 0 of an empty prefix.
    pub first: usize,
    /// Its tokens, from the first on, that nobody computes for it alone: they were kept, or another job brings them.
    pub cached: usize,
}

/// What jobs are given until the next ones come.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// One a job.
    pub prefixes: Vec<Place>,
    /// The first slot for their rows.
    pub rows: usize,
}

impl PrefixStore {
    /// An empty store of the cache's `slots` slots.
    pub fn new(slots: usize) -> PrefixStore {
        PrefixStore { slots, kept: Vec::new() }
    }

    /// Forgets all prefixes.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Gives jobs slots for their prefixes, and behind each other `row_slots` slots for their rows. Of kept prefixes, those
    /// leave that are in the way, the least recently used first; what the jobs themselves use again leaves last. What was
    /// reserved before is free again, and what was not written then is forgotten.
    ///
    /// `None` only if all of it together is more than the cache has.
    pub fn reserve(&mut self, prefixes: &[&[u32]], row_slots: usize) -> Option<Reserved> {
        self.settle();
        for prefix in prefixes {
            if let Some((index, _)) = self.reusable(prefix) {
                let kept = self.kept.remove(index);
                self.kept.push(kept);
            }
        }
        for leaving in self.leaving_at_least(prefixes, row_slots)..=self.kept.len() {
            let reserved = self.attempt(prefixes, row_slots, |store| {
                store.kept.iter_mut().take(leaving).for_each(|kept| kept.leaves = true);
            });
            // Where one goes on in the slots of another, there may be no room for the rest.
            let reserved = reserved.or_else(|| {
                self.attempt(prefixes, row_slots, |store| drop(store.kept.drain(..leaving)))
            });
            if reserved.is_some() {
                return reserved;
            }
        }
        None
    }

    /// What is to be computed: of each prefix its first slot, the position of the first token that is missing, and the
    /// tokens from there on.
    pub fn unwritten(&self) -> impl Iterator<Item = (usize, usize, &[u32])> {
        let missing = self.kept.iter().filter(|kept| kept.written < kept.tokens.len());
        missing.map(|kept| (kept.first, kept.written, &kept.tokens[kept.written..]))
    }

    /// Takes note that the first `count` tokens of [`PrefixStore::unwritten`] stand in the cache now.
    pub fn mark_written(&mut self, mut count: usize) {
        for kept in &mut self.kept {
            let written = count.min(kept.tokens.len() - kept.written);
            kept.written += written;
            count -= written;
        }
    }

    /// Tokens that stand in the cache of the prefix in these slots, and of what follows it there.
    pub fn written(&self, place: Place) -> usize {
        let kept = self.kept.iter().find(|kept| kept.first == place.first);
        kept.map_or(0, |kept| kept.written)
    }

    /// Ends what was reserved: a job that failed or was dropped leaves no more than it has written.
    fn settle(&mut self) {
        for kept in &mut self.kept {
            kept.tokens.truncate(kept.written);
            kept.in_use = 0;
        }
        self.kept.retain(|kept| !kept.tokens.is_empty());
    }

    /// Tokens of the texts that no kept one has room for, nor another of them that begins with it.
    fn new_tokens(&self, prefixes: &[&[u32]]) -> usize {
        let new = prefixes.iter().filter(|prefix| self.reusable(prefix).is_none());
        let mut new: Vec<&[u32]> = new.copied().collect();
        // Behind a text come those that it begins with.
        new.sort_unstable();
        new.reverse();
        new.dedup_by(|text, longer| longer.starts_with(text));
        new.iter().map(|text| text.len()).sum()
    }

    /// How many prefixes must leave, as far as can be told without an attempt.
    fn leaving_at_least(&self, prefixes: &[&[u32]], row_slots: usize) -> usize {
        let needed = row_slots + self.new_tokens(prefixes);
        let mut used = needed + self.kept.iter().map(|kept| kept.tokens.len()).sum::<usize>();
        let must_leave = |kept: &&Kept| {
            let is_over = used > self.slots;
            used -= kept.tokens.len();
            is_over
        };
        self.kept.iter().take_while(must_leave).count()
    }

    /// Places all after `make_room`, or leaves everything as it is.
    fn attempt(
        &mut self,
        prefixes: &[&[u32]],
        row_slots: usize,
        make_room: impl FnOnce(&mut PrefixStore),
    ) -> Option<Reserved> {
        let mut store = self.clone();
        make_room(&mut store);
        // Attention reads what neighbouring rows see with all that stands between it. So prefixes that are new stand side by
        // side, and the rows too, at the end of the cache, far from where prefixes are put.
        let block = store.smallest_gap(store.new_tokens(prefixes))?;
        let placed = prefixes.iter().map(|prefix| store.place(prefix, &block));
        let prefixes = placed.collect::<Option<_>>()?;
        store.kept.retain(|kept| !kept.leaves);
        let gap = store.gaps().into_iter().rfind(|gap| gap.len() >= row_slots)?;
        *self = store;
        Some(Reserved { prefixes, rows: gap.end - row_slots })
    }

    /// Places a prefix in the slots of a kept one, or else at the start of `block`.
    fn place(&mut self, prefix: &[u32], block: &Range<usize>) -> Option<Place> {
        if prefix.is_empty() {
            return Some(Place { first: 0, cached: 0 });
        }
        match self.reusable(prefix) {
            Some((index, common)) => Some(self.reuse(index, common, prefix)),
            None => self.insert(prefix, block),
        }
    }

    /// The kept prefix that has the most in common with this one, among those in whose slots it may stand; and how much.
    fn reusable(&self, prefix: &[u32]) -> Option<(usize, usize)> {
        let common = |(index, kept): (usize, &Kept)| {
            let common = kept.tokens.iter().zip(prefix).take_while(|(a, b)| a == b).count();
            (index, common)
        };
        let all = self.kept.iter().enumerate().map(common);
        let allowed =
            all.filter(|(index, common)| self.may_stand_in(*index, *common, prefix.len()));
        allowed.max_by_key(|(_, common)| *common)
    }

    /// Whether a prefix of `len` tokens, of which the kept one has `common`, may go on in its slots.
    fn may_stand_in(&self, index: usize, common: usize, len: usize) -> bool {
        let kept = &self.kept[index];
        if common == len {
            return true;
        }
        let taken = kept.first + common..kept.first + len;
        let rest = if kept.leaves { 0 } else { kept.tokens.len() - common };
        // What is less than a quarter, such as a heading, is not worth standing apart from other new ones.
        if kept.leaves && 4 * common < len {
            return false;
        }
        // Few get past this: the neighbours are looked at for them alone.
        if common == 0 || rest > common || kept.in_use > common || taken.end > self.slots {
            return false;
        }
        let others = self.kept.iter().filter(|other| other.first != kept.first);
        let mut in_the_way = others.filter(|other| other.has_any_of(&taken));
        let lost = in_the_way.clone().filter(|other| !other.leaves).map(|other| other.tokens.len());
        rest + lost.sum::<usize>() <= common && in_the_way.all(|other| other.in_use == 0)
    }

    fn reuse(&mut self, index: usize, common: usize, prefix: &[u32]) -> Place {
        let mut kept = self.kept.remove(index);
        // A prefix that is all there leaves the tokens behind it alone, if they need not leave.
        if common < prefix.len() || kept.leaves {
            let taken = kept.first + common..kept.first + prefix.len();
            self.kept.retain(|other| !other.has_any_of(&taken));
            kept.tokens.truncate(common);
            kept.tokens.extend(&prefix[common..]);
            kept.written = kept.written.min(common);
        }
        kept.in_use = kept.in_use.max(prefix.len());
        kept.leaves = false;
        let place = Place { first: kept.first, cached: common };
        self.kept.push(kept);
        place
    }

    /// Puts a prefix at the start of `block`, behind those that stand there by now.
    fn insert(&mut self, prefix: &[u32], block: &Range<usize>) -> Option<Place> {
        let staying = self.kept.iter().filter(|kept| !kept.leaves && kept.has_any_of(block));
        let first = staying.map(|kept| kept.slots().end).max().unwrap_or(block.start);
        let taken = first..first + prefix.len();
        if taken.end > block.end {
            return None;
        }
        self.kept.retain(|other| !other.has_any_of(&taken));
        let (tokens, in_use) = (prefix.to_vec(), prefix.len());
        self.kept.push(Kept { first, tokens, written: 0, in_use, leaves: false });
        Some(Place { first, cached: 0 })
    }

    /// The smallest gap of at least `slots` slots; the first of several.
    fn smallest_gap(&self, slots: usize) -> Option<Range<usize>> {
        let gaps = self.gaps().into_iter().filter(|gap| gap.len() >= slots);
        gaps.min_by_key(|gap| gap.len())
    }

    /// The free slots before, between and behind the prefixes that stay; some of these may be none.
    fn gaps(&self) -> Vec<Range<usize>> {
        let staying = self.kept.iter().filter(|kept| !kept.leaves);
        let mut taken: Vec<Range<usize>> = staying.map(Kept::slots).collect();
        taken.sort_by_key(|slots| slots.start);
        let starts = std::iter::once(0).chain(taken.iter().map(|slots| slots.end));
        let ends = taken.iter().map(|slots| slots.start).chain([self.slots]);
        starts.zip(ends).map(|(start, end)| start..end).collect()
    }
}

impl Kept {
    fn slots(&self) -> Range<usize> {
        self.first..self.first + self.tokens.len()
    }

    fn has_any_of(&self, slots: &Range<usize>) -> bool {
        let own = self.slots();
        own.start < slots.end && slots.start < own.end
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;
    use crate::tests::harness::Random;

    /// A text of its own for each seed; two of the same seed begin the same.
    fn text(seed: u32, len: usize) -> Vec<u32> {
        (0..len as u32).map(|i| seed * 1000 + i).collect()
    }

    /// The first `common` tokens of `text`, and others behind them.
    fn branch(text: &[u32], common: usize, seed: u32, len: usize) -> Vec<u32> {
        [&text[..common], &self::text(seed, len - common)].concat()
    }

    /// Reserves for one job and computes all of its prefix.
    fn run(store: &mut PrefixStore, prefix: &[u32], row_slots: usize) -> Place {
        let reserved = store.reserve(&[prefix], row_slots).expect("it fits an empty cache");
        let missing: usize = store.unwritten().map(|(_, _, tokens)| tokens.len()).sum();
        assert_eq!(missing, prefix.len() - reserved.prefixes[0].cached);
        store.mark_written(missing);
        reserved.prefixes[0]
    }

    fn cached(store: &mut PrefixStore, prefix: &[u32], row_slots: usize) -> usize {
        run(store, prefix, row_slots).cached
    }

    #[test]
    fn nothing_is_forgotten_while_there_is_room() {
        let mut store = PrefixStore::new(100);
        let texts = [text(1, 30), text(2, 20), text(3, 25)];
        for expected in [[0, 0, 0], [30, 20, 25]] {
            assert_eq!(texts.each_ref().map(|text| cached(&mut store, text, 25)), expected);
        }
        store.clear();
        assert_eq!(cached(&mut store, &texts[0], 25), 0);
    }

    #[test]
    fn the_least_recently_used_leaves_first() {
        let mut store = PrefixStore::new(100);
        let [a, b, c, d] = [1, 2, 3, 4].map(|seed| text(seed, 25));
        for text in [&a, &b, &c, &a, &d] {
            run(&mut store, text, 25);
        }
        assert_eq!([&a, &c, &d].map(|text| cached(&mut store, text, 25)), [25; 3]);
        assert_eq!(cached(&mut store, &b, 25), 0);
    }

    #[test]
    fn rows_take_the_slots_of_what_was_used_least_recently() {
        let mut store = PrefixStore::new(100);
        let [a, b, c] = [1, 2, 3].map(|seed| text(seed, 25));
        for text in [&a, &b, &c, &b, &a] {
            run(&mut store, text, 10);
        }
        assert_eq!(cached(&mut store, &b, 50), 25);
        assert_eq!([&a, &b, &c].map(|text| cached(&mut store, text, 10)), [25, 25, 0]);
    }

    #[test]
    fn what_a_job_uses_itself_leaves_last() {
        let mut store = PrefixStore::new(95);
        let (former, other) = (text(1, 40), text(2, 20));
        let changed = branch(&former, 29, 3, 30);
        for text in [&former, &other, &changed, &other] {
            run(&mut store, text, 10);
        }
        // Computed anew behind the other, it would leave 40 slots before that one.
        assert_eq!([&changed, &other].map(|text| cached(&mut store, text, 40)), [30, 0]);
    }

    #[test]
    fn a_job_that_fills_the_cache_fits_wherever_its_prefix_stands() {
        let mut store = PrefixStore::new(100);
        let [a, b] = [1, 2].map(|seed| text(seed, 30));
        run(&mut store, &a, 40);
        assert_eq!(run(&mut store, &b, 40), Place { first: 30, cached: 0 });
        // In the middle it leaves no 70 slots in one piece.
        assert_eq!(run(&mut store, &b, 70), Place { first: 0, cached: 0 });
        assert_eq!(run(&mut store, &b, 70), Place { first: 0, cached: 30 });
        let all = store.reserve(&[&text(3, 100)], 0).map(|reserved| reserved.prefixes[0].first);
        assert_eq!(all, Some(0));
    }

    #[test]
    fn what_an_empty_cache_does_not_hold_is_refused_and_forgets_nothing() {
        let mut store = PrefixStore::new(100);
        let kept = text(1, 30);
        run(&mut store, &kept, 40);
        assert!(store.reserve(&[&text(2, 30)], 71).is_none());
        assert!(store.reserve(&[&text(2, 101)], 0).is_none());
        assert!(store.reserve(&[&text(2, 60), &text(3, 41)], 0).is_none());
        assert_eq!(cached(&mut store, &kept, 70), 30);
    }

    #[test]
    fn a_beginning_of_a_kept_text_leaves_the_rest_of_it_alone() {
        let mut store = PrefixStore::new(100);
        let whole = text(1, 40);
        run(&mut store, &whole, 10);
        assert_eq!(cached(&mut store, &whole[..3], 10), 3);
        assert_eq!(cached(&mut store, &whole, 10), 40);
        // Unless the rows need its slots.
        assert_eq!(cached(&mut store, &whole[..3], 90), 3);
        assert_eq!(cached(&mut store, &whole, 10), 3);
    }

    #[test]
    fn a_text_that_goes_on_or_changes_towards_its_end_takes_the_place_of_the_former() {
        let mut store = PrefixStore::new(200);
        let former = text(1, 40);
        run(&mut store, &former, 10);
        let longer = branch(&former, 40, 2, 60);
        assert_eq!(run(&mut store, &longer, 10), Place { first: 0, cached: 40 });
        let changed = branch(&longer, 30, 3, 60);
        assert_eq!(run(&mut store, &changed, 10), Place { first: 0, cached: 30 });
        assert_eq!(cached(&mut store, &former, 10), 30);
    }

    #[test]
    fn texts_that_only_begin_the_same_are_both_kept() {
        let mut store = PrefixStore::new(200);
        let one = text(1, 40);
        let other = branch(&one, 19, 2, 40);
        assert_eq!([&one, &other, &one, &other].map(|t| cached(&mut store, t, 10)), [0, 0, 40, 40]);
    }

    #[test]
    fn a_text_grows_over_neighbours_if_they_are_worth_no_more_than_itself() {
        for (neighbour, expected) in [(40, [40, 0]), (41, [0, 41])] {
            let mut store = PrefixStore::new(200);
            let (first, second) = (text(1, 40), text(2, neighbour));
            run(&mut store, &first, 10);
            run(&mut store, &second, 10);
            let longer = branch(&first, 40, 3, 50);
            let found = [&longer, &second].map(|text| cached(&mut store, text, 10));
            assert_eq!(found, expected, "a neighbour of {neighbour} tokens");
        }
    }

    #[test]
    fn what_must_leave_anyway_gives_a_large_part_that_is_in_common() {
        let mut store = PrefixStore::new(100);
        let former = text(1, 50);
        run(&mut store, &former, 40);
        let other = branch(&former, 14, 2, 56);
        assert_eq!(run(&mut store, &other, 40), Place { first: 0, cached: 14 });
        let another = branch(&other, 12, 3, 56);
        assert_eq!(cached(&mut store, &another, 40), 0, "too little of it");
    }

    #[test]
    fn jobs_that_run_together_share_what_is_the_same() {
        let mut store = PrefixStore::new(200);
        let one = text(1, 30);
        let longer = branch(&one, 30, 2, 45);
        let other = text(3, 20);
        let jobs: [&[u32]; 5] = [&one, &longer, &other, &one[..7], &[]];
        let reserved = store.reserve(&jobs, 100).expect("they fit");
        let places = [(0, 0), (0, 30), (45, 0), (0, 7), (0, 0)];
        let places = places.map(|(first, cached)| Place { first, cached });
        assert_eq!(reserved.prefixes, places);
        assert_eq!(reserved.rows, 100);
        let missing: Vec<_> =
            store.unwritten().map(|(first, at, t)| (first, at, t.len())).collect();
        assert_eq!(missing, [(45, 0, 20), (0, 0, 45)]);
    }

    #[test]
    fn jobs_that_share_their_text_let_others_stay() {
        let mut store = PrefixStore::new(100);
        let kept = text(1, 30);
        run(&mut store, &kept, 10);
        let one = text(2, 30);
        store.reserve(&[&one[..25], &one, &one], 40).expect("they fit");
        assert_eq!(cached(&mut store, &kept, 10), 30);
    }

    #[test]
    fn new_texts_that_run_together_stand_side_by_side() {
        let mut store = PrefixStore::new(120);
        let former = text(1, 40);
        for text in [&former, &text(2, 20), &branch(&former, 29, 3, 30)] {
            run(&mut store, text, 10);
        }
        // One of them alone would go between the two.
        assert_eq!(store.gaps(), [0..0, 30..40, 60..120]);
        let reserved = store.reserve(&[&text(4, 8), &text(5, 9)], 10).expect("they fit");
        assert_eq!(reserved.prefixes.iter().map(|place| place.first).collect::<Vec<_>>(), [60, 68]);
        assert_eq!(run(&mut store, &text(6, 8), 10).first, 30);
    }

    /// A prefix in use must not be changed by another job of the same batch.
    #[test]
    fn jobs_that_run_together_take_nothing_from_each_other() {
        let mut store = PrefixStore::new(200);
        let one = text(1, 40);
        let changed = branch(&one, 39, 2, 60);
        let reserved = store.reserve(&[&one, &one[..7], &changed], 20).expect("they fit");
        assert_ne!(reserved.prefixes[0].first, reserved.prefixes[2].first);
        // Nor may one grow over another.
        let longer = branch(&one, 40, 3, 41);
        let next = branch(&changed, 60, 4, 61);
        let reserved = store.reserve(&[&next, &longer], 20);
        let places = reserved.map(|reserved| reserved.prefixes).unwrap_or_default();
        let ends: Vec<_> =
            places.iter().zip([61, 41]).map(|(p, len)| (p.first, p.first + len)).collect();
        assert!(ends[0].1 <= ends[1].0 || ends[1].1 <= ends[0].0, "{ends:?}");
    }

    #[test]
    fn what_was_not_written_is_not_kept() {
        let mut store = PrefixStore::new(100);
        let (kept, stopped) = (text(1, 30), text(2, 40));
        run(&mut store, &kept, 10);
        store.reserve(&[&stopped], 10).expect("it fits");
        store.mark_written(15);
        assert_eq!(cached(&mut store, &stopped, 10), 15);
        store.reserve(&[&text(3, 20)], 10).expect("it fits");
        assert_eq!(cached(&mut store, &text(3, 20), 10), 0);
        // A former text is cut where the new one was to go on.
        let changed = branch(&kept, 20, 4, 30);
        store.reserve(&[&changed], 10).expect("it fits");
        assert_eq!(cached(&mut store, &kept, 10), 20);
    }

    /// The KV cache: of each slot the token in it with all that it has seen.
    struct Cache(Vec<u64>);

    impl Cache {
        fn of(seen: &[u32]) -> u64 {
            let mut hasher = DefaultHasher::new();
            seen.hash(&mut hasher);
            hasher.finish()
        }

        fn holds(&self, first: usize, tokens: &[u32]) -> bool {
            (1..=tokens.len()).all(|len| self.0[first + len - 1] == Self::of(&tokens[..len]))
        }

        /// Writes as a step does: each token sees what stands before it.
        fn step(&mut self, batch: &[(usize, Vec<u32>)]) {
            for (slot, seen) in batch {
                let before = slot + 1 - seen.len();
                assert!(self.holds(before, &seen[..seen.len() - 1]), "it sees something else");
                self.0[*slot] = Self::of(seen);
            }
        }

        fn spoil(&mut self, slots: Range<usize>) {
            self.0[slots].fill(0);
        }
    }

    /// Tokens to be computed, with what they see.
    fn missing(store: &PrefixStore) -> Vec<(usize, Vec<u32>)> {
        let tokens = |kept: &Kept| -> Vec<_> {
            let missing = kept.written..kept.tokens.len();
            missing.map(|i| (kept.first + i, kept.tokens[..=i].to_vec())).collect()
        };
        store.kept.iter().flat_map(tokens).collect()
    }

    fn check(store: &PrefixStore, cache: &Cache) {
        let mut all: Vec<Range<usize>> = store.kept.iter().map(Kept::slots).collect();
        all.sort_by_key(|slots| slots.start);
        assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start), "slots of two: {all:?}");
        assert!(all.last().is_none_or(|slots| slots.end <= store.slots), "behind the end: {all:?}");
        for kept in &store.kept {
            assert!(kept.written <= kept.tokens.len() && !kept.leaves);
            assert!(cache.holds(kept.first, &kept.tokens[..kept.written]), "a false claim");
        }
    }

    /// Jobs whose texts are the same, begin the same, or have nothing in common, and fill the cache or hardly touch it.
    fn random_jobs(random: &mut Random, slots: usize) -> (Vec<Vec<u32>>, usize) {
        let mut room = slots;
        let mut jobs = Vec::new();
        for _ in 0..=random.below(4) {
            let most = slots / (1 + random.below(4));
            let len = random.below(1 + room.min(most));
            let seed = random.below(3) as u32;
            let common = random.below(len + 1);
            let own = 10 + random.below(6) as u32;
            let whole = random.below(2) == 0;
            jobs.push(if whole {
                text(seed, len)
            } else {
                branch(&text(seed, len), common, own, len)
            });
            room -= len;
        }
        let row_slots = if random.below(4) == 0 { room } else { random.below(room + 1) };
        (jobs, row_slots)
    }

    /// Jobs at random, some of which fail on the way, against a cache that knows what was written where.
    #[test]
    fn whatever_happens_the_cache_holds_what_the_store_says() {
        let mut random = Random::new();
        let (mut reused, mut failed) = (0, 0);
        for slots in [1, 7, 40, 160] {
            let mut store = PrefixStore::new(slots);
            let mut cache = Cache(vec![0; slots]);
            for _ in 0..4000 {
                let (jobs, row_slots) = random_jobs(&mut random, slots);
                let prefixes: Vec<&[u32]> = jobs.iter().map(|job| &job[..]).collect();
                let reserved = store.reserve(&prefixes, row_slots).expect("it fits an empty cache");
                check(&store, &cache);
                let rows = reserved.rows..reserved.rows + row_slots;
                assert!(rows.end <= slots && !store.kept.iter().any(|kept| kept.has_any_of(&rows)));

                let steps = missing(&store);
                let places = &reserved.prefixes;
                let cached: usize = places.iter().map(|place| place.cached).sum();
                let asked: usize = jobs.iter().map(Vec::len).sum();
                assert_eq!(steps.len(), asked - cached, "the figures are wrong");
                reused += cached;
                let mut fails = false;
                for step in steps.chunks(1 + random.below(20)) {
                    fails = random.below(12) == 0;
                    if fails {
                        step.iter().for_each(|(slot, _)| cache.spoil(*slot..slot + 1));
                        break;
                    }
                    cache.step(step);
                    store.mark_written(step.len());
                }
                cache.spoil(rows);
                check(&store, &cache);
                failed += usize::from(fails);
                for (prefix, place) in prefixes.iter().zip(places).filter(|_| !fails) {
                    assert!(cache.holds(place.first, prefix), "a job sees something else");
                    assert!(store.written(*place) >= prefix.len());
                }
                if random.below(100) == 0 {
                    store.clear();
                }
            }
        }
        assert!(reused > 10_000 && failed > 100, "{reused} tokens reused, {failed} jobs failed");
    }
}
