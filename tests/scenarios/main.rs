//! Situations of the queue as text, one file each: what happens, and after `->` what the machine does.
//!
//! ```text
//! pool lucheng: ring 20s, wrap 30s       further: clear 2s, misses 2, pause 60s, max 100, match round-robin,
//!                                        longest 60s, estimated 90s, ready only (when else a call is not let in)
//! agent li: lucheng, city                their pools; everybody is registered at 0s unless said otherwise
//! agent wang: lucheng (unregistered)
//! agent zhao: lucheng tier 1, city order 2 max 5; yi 5, labour 3
//! 0s caller A enters lucheng 60s, city   each pool after the patience before it; none waits for ever
//! 0s caller B enters city; needs yi 8; after 20s needs yi 3; wishes labour 5; ahead 60s; urgent; knows li 10s
//! 0s caller C enters city; told 10s 30s  the place and the wait, after 10s and then every 30s
//! 0s caller D enters city; since 0s      has waited since then, in another queue or on another node
//! 5s caller B becomes urgent | wants a call-back within 2h
//! 0s -> queue A in lucheng at 1; ring li for A
//! 5s caller A hangs up
//! 5s li answers A | rejects A | cannot be reached for A | falls silent after A | ends A
//! 5s li registers | unregisters | pauses | pauses for 60s | is ready | is done
//! 5s li joins lucheng, city | leaves     the configuration changes; so does it with
//! 5s pool lucheng opens | closes
//! 5s another node takes over             which knows who there is and must be told who waits
//! 5s clock goes back 1h | goes forward 1h
//! 5s = li idle since 0s; wang talks to A the states of agents
//! 60s end                                until then nothing else happens
//! ```
//!
//! `HOTLINE_SCENARIOS_WRITE=1` writes what the machine does into the files.

mod script;

use script::check;

/// One test per file.
macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), include_str!(concat!(stringify!($name), ".txt")));
            }
        )*

        #[test]
        fn every_file_is_a_test() {
            let here = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
            for file in std::fs::read_dir(here).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "txt") {
                    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                    assert!([$(stringify!($name)),*].contains(&name.as_str()), "{name}.txt is not listed");
                }
            }
        }
    };
}

scripts! {
    a_call_that_overflows_keeps_its_arrival
    a_caller_who_hangs_up_withdraws_the_offer
    a_clock_set_back_or_forward_harms_nobody
    a_closed_pool_sends_its_calls_on
    a_full_pool_overflows
    a_head_start_passes_nobody_who_has_waited_longer
    a_late_answer_is_released
    a_missed_call_goes_to_somebody_else_first
    a_pause_takes_effect_while_the_phone_rings
    a_phone_that_vanishes_while_ringing
    a_pool_that_keeps_nobody_waiting
    a_pool_with_a_long_wait_takes_no_further_call
    a_pool_takes_nobody_who_would_wait_too_long
    a_removed_agent_finishes_the_talk
    a_restart_brings_everybody_back_as_they_were
    a_skill_is_needed_and_then_less_of_it
    a_skill_that_nobody_on_duty_has_is_not_waited_for
    a_supervisor_moves_a_call_up
    a_wrap_up_can_be_put_off_and_not_for_ever
    a_wrap_up_can_end_early
    a_wrap_up_until_saved_leaves_nobody_ready_without
    an_agent_of_many_pools_takes_the_oldest_call
    everybody_at_once_and_the_first_has_it
    failure_01_two_agents_for_one_call
    failure_02_a_lost_bye_leaves_an_agent_in_call
    failure_03_offers_in_wrap_up_or_unregistered
    failure_04_the_announced_wait_grows
    failure_05_a_call_back_loses_the_place
    failure_08_the_queue_dies_with_its_node
    failure_10_an_empty_pool_rings_for_ever
    failure_12_long_idle_time_beats_a_better_tier
    in_order_and_round_robin
    long_idle_time_never_beats_a_better_claim
    misses_in_a_row_pause_the_agent
    no_answer_rings_the_next
    patience_runs_out_while_a_phone_rings
    so_many_calls_of_a_pool_a_day
    the_count_of_the_day_outlasts_a_shift
    the_fewest_calls_of_the_day
    the_last_agent_leaves_while_calls_wait
    the_lawyer_who_knows_the_caller
    the_longest_idle_is_rung_first
    the_most_fitting_lawyer_is_rung
    the_place_is_kept_over_pools
    whoever_logs_out_or_pauses_is_not_rung
    who_is_first_in_line_moves_on_first
}
