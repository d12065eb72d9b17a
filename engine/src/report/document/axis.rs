//! The time axis of a report's chart: the sessions one after the other, the pauses between them cut out. A run that
//! waited a night for an answer would otherwise be a hair at either end of an empty picture.

use jiff::Timestamp;

use super::RunReport;

/// Room for a pause, in the units of the drawing; all of them together get no more than a quarter.
const PAUSE: f64 = 26.0;

/// A stretch of time in which the run was worked on, and where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    from: i64,
    to: i64,
    x: f64,
}

/// A pause that is cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pause {
    /// Where it is drawn.
    pub x: f64,
    /// How wide.
    pub width: f64,
    /// How long it was, in milliseconds.
    pub length: u64,
}

/// Where a moment of the run is drawn.
#[derive(Debug)]
pub struct Axis {
    stretches: Vec<Stretch>,
    scale: f64,
    /// The pauses, in order.
    pub pauses: Vec<Pause>,
}

impl Axis {
    /// The axis of a run between two places of the drawing.
    pub fn new(report: &RunReport, left: f64, right: f64) -> Self {
        let sessions = report.sessions.iter();
        let mut spans: Vec<(i64, i64)> = sessions
            .map(|one| (one.started.as_millisecond(), one.last.as_millisecond()))
            .collect();
        if spans.is_empty() {
            spans.push((
                report.started.as_millisecond(),
                report.last.as_millisecond(),
            ));
        }
        // What was recorded before the first session or after the last belongs to them.
        let last = spans.len() - 1;
        spans[0].0 = spans[0].0.min(report.started.as_millisecond());
        spans[last].1 = spans[last].1.max(report.last.as_millisecond());
        Self::of(&spans, left, right)
    }

    fn of(spans: &[(i64, i64)], left: f64, right: f64) -> Self {
        let worked: i64 = spans.iter().map(|(from, to)| (to - from).max(0)).sum();
        let cuts = spans.len() - 1;
        let width = PAUSE.min((right - left) / 4.0 / cuts.max(1) as f64);
        let scale = (right - left - width * cuts as f64) / worked.max(1) as f64;
        let (mut stretches, mut pauses, mut x) = (Vec::new(), Vec::new(), left);
        for (index, &(from, to)) in spans.iter().enumerate() {
            if let Some((_, before)) = index.checked_sub(1).map(|before| spans[before]) {
                let length = u64::try_from(from - before).unwrap_or_default();
                pauses.push(Pause { x, width, length });
                x += width;
            }
            stretches.push(Stretch { from, to, x });
            x += (to - from).max(0) as f64 * scale;
        }
        Self {
            stretches,
            scale,
            pauses,
        }
    }

    /// Where a moment is drawn. One within a pause stands where the pause begins.
    pub fn x(&self, at: Timestamp) -> f64 {
        let at = at.as_millisecond();
        let begun = self.stretches.iter().rev().find(|one| one.from <= at);
        let stretch = begun.unwrap_or(&self.stretches[0]);
        stretch.x
            + (at.clamp(stretch.from, stretch.to.max(stretch.from)) - stretch.from) as f64
                * self.scale
    }

    /// Milliseconds of work, and where each quarter of them is drawn.
    pub fn marks(&self) -> Vec<(u64, f64)> {
        const PARTS: i64 = 4;
        let length = |one: &Stretch| (one.to - one.from).max(0);
        let worked: i64 = self.stretches.iter().map(length).sum();
        let mut marks = Vec::new();
        for part in 0..=PARTS {
            let mut left = worked * part / PARTS;
            let time = u64::try_from(left).unwrap_or_default();
            let last = self.stretches.len() - 1;
            for (index, stretch) in self.stretches.iter().enumerate() {
                if left <= length(stretch) || index == last {
                    marks.push((time, stretch.x + left as f64 * self.scale));
                    break;
                }
                left -= length(stretch);
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    /// Ten seconds of work, a night, ten more.
    fn night() -> Axis {
        const NIGHT: i64 = 8 * 3_600_000;
        Axis::of(&[(0, 10_000), (NIGHT, NIGHT + 10_000)], 0.0, 1_026.0)
    }

    #[test]
    fn a_pause_takes_the_same_room_however_long_it_is() {
        let axis = night();
        assert_eq!(axis.x(moment(10_000)), 500.0);
        assert_eq!(axis.x(moment(8 * 3_600_000)), 526.0);
        assert_eq!(axis.x(moment(8 * 3_600_000 + 5_000)), 776.0);
        let pause = axis.pauses[0];
        assert_eq!(
            (pause.x, pause.width, pause.length),
            (500.0, 26.0, 28_790_000)
        );
        // Within the pause, before everything, after everything: never outside of the drawing.
        assert_eq!(axis.x(moment(3_600_000)), 500.0);
        assert_eq!(axis.x(moment(-5)), 0.0);
        assert_eq!(axis.x(moment(9 * 3_600_000)), 1_026.0);
    }

    #[test]
    fn marks_count_work_and_no_pauses() {
        let marks = night().marks();
        let times: Vec<u64> = marks.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [0, 5_000, 10_000, 15_000, 20_000]);
        let places: Vec<f64> = marks.iter().map(|(_, x)| *x).collect();
        assert_eq!(places, [0.0, 250.0, 500.0, 776.0, 1_026.0]);
    }

    #[test]
    fn many_pauses_leave_room_for_the_work() {
        let spans: Vec<(i64, i64)> = (0..200).map(|n| (n * 1_000, n * 1_000 + 10)).collect();
        let axis = Axis::of(&spans, 0.0, 1_000.0);
        let pauses: f64 = axis.pauses.iter().map(|pause| pause.width).sum();
        assert!(pauses <= 250.001, "{pauses}");
        assert!((axis.x(moment(199_010)) - 1_000.0).abs() < 0.001);
    }

    #[test]
    fn a_clock_that_was_set_back_breaks_nothing() {
        let axis = Axis::of(&[(1_000, 900), (500, 700)], 0.0, 100.0);
        for at in [0, 500, 600, 950, 2_000] {
            let x = axis.x(moment(at));
            assert!((0.0..=100.0).contains(&x), "{at}: {x}");
        }
    }
}
