/// Lines of CSV records. The csv crate counts one too few where lines end in CR LF, as those of spreadsheets do.
pub struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// Of the records read from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1 }
    }

    /// The line in which the record at `position` begins, from 1. Records must come in their order.
    pub fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        self.at(position.map_or(self.offset, |position| position.byte() as usize)).0
    }

    /// The line and the byte where the record begins that is read from byte `start` on.
    pub(crate) fn at(&mut self, start: usize) -> (u64, usize) {
        while let Some(&byte) = self.bytes.get(self.offset) {
            // Before a record come the ends of the last one's line and of blank lines.
            if self.offset >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(byte == b'\n');
            self.offset += 1;
        }
        (self.line, self.offset)
    }
}
