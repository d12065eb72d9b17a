//! Lines of the mirror as the engine writes them, read without the general reader of JSON: of what opening a long journal
//! costs, reading its mirror is half. Whatever looks otherwise is left to the general reader, which says the same of
//! every line that is read here.

use blake3::Hash;

use super::chain::{RowRef, from_digits};

/// A row as a line gives it, with the hash that it is chained to; none where the line looks otherwise.
pub(super) fn read<'text>(
    line: &'text [u8],
    body: &'text mut Vec<u8>,
) -> Option<(Hash, RowRef<'text>)> {
    let rest = line.strip_prefix(br#"{"row":{"seq":"#)?;
    let (seq, rest) = number(rest)?;
    let (at, rest) = plain(rest.strip_prefix(br#","at":""#)?)?;
    let (previous, rest) = hash(rest.strip_prefix(br#","previous":""#)?)?;
    let (hash, rest) = hash(rest.strip_prefix(br#"","hash":""#)?)?;
    let escaped = rest.strip_prefix(br#"","body":""#)?;
    unescape(escaped.strip_suffix(br#""}}"#)?, body)?;
    let row = RowRef {
        seq,
        at,
        body: std::str::from_utf8(body).ok()?,
        hash,
    };
    Some((previous, row))
}

fn hash(text: &[u8]) -> Option<(Hash, &[u8])> {
    let (digits, rest) = text.split_first_chunk()?;
    Some((from_digits(digits)?, rest))
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    // JSON has no leading zeros.
    let plain = number.first() != Some(&b'0') || number.len() == 1;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    plain.then_some((number, rest))
}

/// A string up to its end, behind which the rest stands, where it holds nothing but plain ASCII.
fn plain(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (content, rest) = text.split_at(end);
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    let content = content.iter().all(plain).then_some(content)?;
    Some((std::str::from_utf8(content).ok()?, &rest[1..]))
}

/// Bytes that do not stand for themselves in a string.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut control = 0;
    while control < b' ' as usize {
        special[control] = true;
        control += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// Writes the content of a string; none where it ends before the end, or has rare escapes.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    out.resize(text.len(), 0);
    let (mut bytes, mut length) = (text.iter(), 0);
    while let Some(byte) = bytes.next() {
        let byte = match (SPECIAL[*byte as usize], byte) {
            (false, byte) => *byte,
            (true, b'\\') => match bytes.next()? {
                escape @ (b'"' | b'\\') => *escape,
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                _ => return None,
            },
            (true, _) => return None,
        };
        *out.get_mut(length)? = byte;
        length += 1;
    }
    out.truncate(length);
    Some(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::chain::{ORIGIN, Row};
    use super::super::mirror;
    use super::*;

    fn line(body: &str) -> (Row, Vec<u8>) {
        let row = Row::chained(ORIGIN, 7, Timestamp::UNIX_EPOCH, body.to_owned());
        let line = mirror::row_line(ORIGIN, row.borrowed());
        (row, line.trim_end_matches('\n').as_bytes().to_vec())
    }

    #[test]
    fn the_lines_of_usual_rows_are_read_here() {
        let (row, line) = line("{\"record\":\"intent\",\"text\":\"a\\nb \\\\ ‹ä› \t\"}\r\n");
        let mut body = Vec::new();
        assert_eq!(read(&line, &mut body), Some((ORIGIN, row.borrowed())));
    }

    fn digits(text: &str) -> Option<Hash> {
        from_digits(text.as_bytes().try_into().ok()?)
    }

    /// What the general reader says: the hash that the row is chained to, and the row.
    fn generally(line: &[u8]) -> Option<(Hash, Row)> {
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        let row = value
            .as_object()
            .filter(|line| line.len() == 1)?
            .get("row")?;
        let text = |name: &str| row.get(name)?.as_str().map(str::to_owned);
        let fields = row.as_object()?.len();
        let read = Row {
            seq: row.get("seq")?.as_u64()?,
            at: text("at")?,
            body: text("body")?,
            hash: digits(&text("hash")?)?,
        };
        (fields == 5).then_some((digits(&text("previous")?)?, read))
    }

    proptest! {
        #[test]
        fn a_damaged_line_is_read_as_the_general_reader_reads_it(
            body in any::<String>(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<bool>(),
        ) {
            let (_, mut line) = line(&body);
            let place = place.index(line.len());
            match cut {
                true => line.truncate(place),
                false => line[place] = byte,
            }
            let mut room = Vec::new();
            if let Some((previous, row)) = read(&line, &mut room) {
                prop_assert_eq!(generally(&line), Some((previous, row.to_row())));
            }
        }
    }
}
