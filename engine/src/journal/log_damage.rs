//! Whether the write-ahead log lost something in its midst, found without SQLite.
//!
//! SQLite ends a log at the first frame whose checksum is wrong and says nothing: after a crash the last
//! transaction is often torn, and nobody was told that it is durable. But each of our transactions is synced
//! before the next one begins. So where frames of a later transaction follow the wrong one, the wrong one had
//! been confirmed, and that is damage, not a crash.
//!
//! Format: sqlite.org/fileformat2.html, section 4 (the write-ahead log).

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Size of a page of our databases: SQLite's default, which they are made with.
const PAGE: usize = 4096;
/// The lowest bit says which end of a word the checksums take first.
const MAGIC: u32 = 0x377f_0682;

/// What is wrong with a log.
pub(super) struct LogDamage {
    /// In words.
    pub what: String,
    /// How many confirmed transactions, at least, SQLite would drop.
    pub transactions: u64,
}

/// Says what is wrong if the log proves that confirmed frames are damaged.
pub(super) fn found(log: &[u8]) -> Option<LogDamage> {
    let header = log.get(..HEADER)?;
    if log.len() < HEADER + FRAME_HEADER {
        // Its first sync never came: nothing in it was confirmed.
        return None;
    }
    if header.iter().all(|byte| *byte == 0) {
        return without_header(&log[HEADER..]);
    }
    let Some(shape) = Shape::read(header) else {
        return Some(LogDamage {
            what: "the beginning of its write-ahead log is not what was written".to_owned(),
            transactions: 1,
        });
    };
    let size = FRAME_HEADER + shape.page;
    let frames: Vec<&[u8]> = log[HEADER..].chunks_exact(size).collect();
    let mut sum = shape.sum;
    let whole = frames
        .iter()
        .take_while(|frame| shape.continues(&mut sum, frame))
        .count();
    let rest = &frames[whole..];
    let ends = rest.iter().position(|frame| shape.commits(frame))?;
    let later = &rest[ends + 1..];
    if !later.iter().any(|frame| shape.owns(frame)) {
        return None;
    }
    // The last one may be torn, and then nobody was told of it.
    let later = later.iter().filter(|frame| shape.commits(frame)).count() as u64;
    Some(LogDamage {
        what: format!(
            "frame {} of its write-ahead log is not what was written, though later ones follow",
            whole + 1
        ),
        transactions: 1 + later.saturating_sub(1),
    })
}

/// A log that begins with zeros: either its first sync never came, or its beginning is gone. The second transaction is
/// written only after the first was synced, and the header with it.
fn without_header(frames: &[u8]) -> Option<LogDamage> {
    let ends = frames
        .chunks_exact(FRAME_HEADER + PAGE)
        .filter(|frame| word(frame, 4) != 0 && frame[8..16] != [0; 8])
        .count() as u64;
    (ends > 1).then(|| LogDamage {
        what: "the beginning of its write-ahead log is gone, though later frames follow".to_owned(),
        // The last one may be torn, and then nobody was told of it.
        transactions: ends - 1,
    })
}

/// What the header says about all frames.
struct Shape {
    page: usize,
    salt: [u8; 8],
    big_endian: bool,
    sum: [u32; 2],
}

impl Shape {
    /// The header's content, if its own checksum is right.
    fn read(header: &[u8]) -> Option<Self> {
        let magic = word(header, 0);
        let big_endian = magic & 1 == 1;
        let sum = checksum([0, 0], &header[..24], big_endian);
        let page = word(header, 8) as usize;
        let sound = magic & !1 == MAGIC
            && sum == [word(header, 24), word(header, 28)]
            && page.is_power_of_two()
            && (512..=65536).contains(&page);
        sound.then(|| Self {
            page,
            salt: header[16..24].try_into().expect("eight bytes"),
            big_endian,
            sum,
        })
    }

    /// Whether the frame is one of this log, not left from before its last restart.
    fn owns(&self, frame: &[u8]) -> bool {
        frame[8..16] == self.salt
    }

    /// Whether the frame ends a transaction.
    fn commits(&self, frame: &[u8]) -> bool {
        self.owns(frame) && word(frame, 4) != 0
    }

    /// Whether the frame is what was written after those that add up to `sum`; adds it.
    fn continues(&self, sum: &mut [u32; 2], frame: &[u8]) -> bool {
        let next = checksum(*sum, &frame[..8], self.big_endian);
        let next = checksum(next, &frame[FRAME_HEADER..], self.big_endian);
        let right = self.owns(frame) && next == [word(frame, 16), word(frame, 20)];
        if right {
            *sum = next;
        }
        right
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn checksum(sum: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let read = |four: &[u8]| {
        let four: [u8; 4] = four.try_into().expect("four bytes");
        if big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    };
    bytes.chunks_exact(8).fold(sum, |[first, second], eight| {
        let first = first.wrapping_add(read(&eight[..4])).wrapping_add(second);
        let second = second.wrapping_add(read(&eight[4..])).wrapping_add(first);
        [first, second]
    })
}
