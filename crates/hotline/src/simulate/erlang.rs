//! Closed forms of queueing theory, to hold the simulator against where they hold: Poisson arrivals, exponential
//! talks, one pool of equal lawyers, first come first served.

/// What a queue does in the long run, times in units of the mean talk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongRun {
    /// Of all callers, who wait at all.
    pub delayed: f64,
    /// Mean wait of all callers, those who give up included.
    pub wait: f64,
    /// Of all callers, who give up.
    pub abandoned: f64,
}

/// Nobody gives up (M/M/n): A. K. Erlang's formula of 1917. `load` is in erlangs and below `lawyers`.
#[must_use]
pub fn erlang_c(lawyers: u32, load: f64) -> LongRun {
    let blocked = (1..=lawyers).fold(1.0, |blocked, n| load * blocked / (f64::from(n) + load * blocked));
    let lawyers = f64::from(lawyers);
    let delayed = lawyers * blocked / (lawyers - load * (1.0 - blocked));
    LongRun { delayed, wait: delayed / (lawyers - load), abandoned: 0.0 }
}

/// Who waits gives up after an exponential time (M/M/n+M): C. Palm's model of 1946. `patience` is its mean in units
/// of the mean talk.
#[must_use]
pub fn erlang_a(lawyers: u32, load: f64, patience: f64) -> LongRun {
    // Weights of "so many callers are in the house", scaled so that the largest is 1 or so.
    let mut weight = 1.0;
    let (mut sum, mut delayed, mut queue) = (1.0, 0.0, 0.0);
    let mut inside = 0_u32;
    loop {
        inside += 1;
        let waiting = inside.saturating_sub(lawyers);
        let leaving = f64::from(inside.min(lawyers)) + f64::from(waiting) / patience;
        weight *= load / leaving;
        sum += weight;
        if inside >= lawyers {
            delayed += weight;
            queue += weight * f64::from(waiting);
        }
        // Above 1e250 everything so far is scaled down, below 1e-15 nothing comes any more.
        if weight > 1e250 {
            (weight, sum, delayed, queue) = (1.0, sum / weight, delayed / weight, queue / weight);
        }
        if inside > lawyers && weight < sum * 1e-15 {
            break;
        }
    }
    // Little's law: the mean queue is the rate of arrivals times the mean wait.
    let wait = queue / sum / load;
    LongRun { delayed: delayed / sum, wait, abandoned: wait / patience }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expect: f64) {
        assert!((found - expect).abs() < 0.000_5, "{found} is not {expect}");
    }

    #[test]
    fn one_lawyer_is_a_formula_of_its_own() {
        // M/M/1: whoever comes waits with the probability of the load.
        let found = erlang_c(1, 0.8);
        check(found.delayed, 0.8);
        check(found.wait, 0.8 / 0.2);
    }

    #[test]
    fn tables_of_erlang_c_are_met() {
        check(erlang_c(10, 8.0).delayed, 0.4092);
        check(erlang_c(5, 4.0).delayed, 0.5541);
    }

    #[test]
    fn endless_patience_is_no_patience_to_model() {
        let (with, without) = (erlang_a(10, 8.0, 1e9), erlang_c(10, 8.0));
        check(with.delayed, without.delayed);
        check(with.wait, without.wait);
        check(with.abandoned, 0.0);
    }

    #[test]
    fn callers_who_give_up_as_fast_as_talks_end_make_a_house_of_endless_lawyers() {
        // With patience = talk everybody in the house leaves at the same rate: their number is Poisson's.
        let (lawyers, load) = (3_u32, 2.0_f64);
        let mut term = (-load).exp();
        let (mut below, mut queue) = (0.0, 0.0);
        for inside in 0..60_u32 {
            below += if inside < lawyers { term } else { 0.0 };
            queue += term * f64::from(inside.saturating_sub(lawyers));
            term *= load / f64::from(inside + 1);
        }
        let found = erlang_a(lawyers, load, 1.0);
        check(found.delayed, 1.0 - below);
        check(found.abandoned, queue / load);
    }
}
