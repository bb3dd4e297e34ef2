// Where a token stands. Its row's keys are the shared prefix, slots first..first + prefix, and then its own
// segment, slots segment..=slot; the n-th of them has position n. A token of the prefix itself has an
// empty segment: slot is below it.
struct Token {
    position: u32,
    prefix: u32,
    segment: u32,
    slot: u32,
    first: u32,
}
