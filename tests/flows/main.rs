//! Golden ladders: SIP flows through the real switch under a virtual clock, one Markdown file each, which is
//! documentation and test at once. It has a script (what people, phones and the network do) and the ladder
//! of what follows from it; the test plays the one and compares the other.
//!
//! After a change that is meant: `HOTLINE_FLOWS_WRITE=1 cargo test -p hotline-tests --test flows` writes
//! the ladders anew. Read the difference before it is committed: a stable ladder may still be a wrong one.

mod cast;
mod hand;
mod ladder;
mod phone;
mod stage;
mod studio;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One test per file.
macro_rules! ladders {
    ($($name:ident: $file:literal)*) => {
        $(
            #[test]
            fn $name() {
                check($file);
            }
        )*

        #[test]
        fn every_ladder_is_a_test() {
            for file in std::fs::read_dir(folder()).expect("it is this folder") {
                let path = file.expect("it can be read").path();
                if path.extension().is_some_and(|extension| extension == "md") {
                    let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
                    assert!([$($file),*].contains(&name.as_str()), "{name}.md is not listed");
                }
            }
        }
    };
}

ladders! {
    a_lawyer_answers: "01-a-lawyer-answers"
    a_lawyer_hangs_up: "02-a-lawyer-hangs-up"
    both_hang_up_at_once: "03-both-hang-up-at-once"
    the_caller_leaves_in_the_notice: "04-the-caller-leaves-in-the-notice"
    the_caller_leaves_in_the_menu: "05-the-caller-leaves-in-the-menu"
    a_key_chooses_a_county: "06-a-key-chooses-a-county"
    silence_in_the_menu_leads_to_a_person: "07-silence-in-the-menu-leads-to-a-person"
    the_caller_leaves_in_the_queue: "08-the-caller-leaves-in-the-queue"
    the_caller_leaves_while_it_rings: "09-the-caller-leaves-while-it-rings"
    a_lawyer_rejects: "10-a-lawyer-rejects"
    a_lawyer_does_not_answer: "11-a-lawyer-does-not-answer"
    two_misses_pause_a_lawyer: "12-two-misses-pause-a-lawyer"
    a_lawyer_unregisters_while_it_rings: "13-a-lawyer-unregisters-while-it-rings"
    a_phone_dies_in_a_call: "14-a-phone-dies-in-a-call"
    a_connection_closes_in_a_call: "15-a-connection-closes-in-a-call"
    cancel_crosses_200: "16-cancel-crosses-200"
    cancel_is_confirmed_before_the_200: "17-cancel-is-confirmed-before-the-200"
    cancel_waits_for_a_provisional_response: "18-cancel-waits-for-a-provisional-response"
    a_phone_that_says_nothing: "19-a-phone-that-says-nothing"
    a_lawyer_holds_and_resumes: "20-a-lawyer-holds-and-resumes"
    the_caller_holds_and_resumes: "21-the-caller-holds-and-resumes"
    both_hold: "22-both-hold"
    the_lawyer_hangs_up_on_hold: "23-the-lawyer-hangs-up-on-hold"
    an_invite_without_an_offer: "24-an-invite-without-an-offer"
    a_reinvite_without_an_offer: "25-a-reinvite-without-an-offer"
    the_trunk_moves_the_audio: "26-the-trunk-moves-the-audio"
    a_session_is_refreshed: "27-a-session-is-refreshed"
    the_trunk_refreshes_by_reinvite: "28-the-trunk-refreshes-by-reinvite"
    a_session_expires: "29-a-session-expires"
    a_caller_is_lost_in_the_queue: "30-a-caller-is-lost-in-the-queue"
    a_refresh_crosses_a_reinvite: "31-a-refresh-crosses-a-reinvite"
    the_caller_requires_100rel: "32-the-caller-requires-100rel"
    a_phone_rings_reliably: "33-a-phone-rings-reliably"
    forked_answers: "34-forked-answers"
    a_lost_ack_of_the_caller: "35-a-lost-ack-of-the-caller"
    a_lost_ack_of_ours: "36-a-lost-ack-of-ours"
    an_ack_that_never_comes: "37-an-ack-that-never-comes"
    a_lost_bye_of_the_caller: "38-a-lost-bye-of-the-caller"
    a_lost_answer_to_a_bye: "39-a-lost-answer-to-a-bye"
    a_lost_bye_of_ours: "40-a-lost-bye-of-ours"
    a_lost_invite: "41-a-lost-invite"
    overflow_to_the_paired_county_and_the_city: "42-overflow-to-the-paired-county-and-the-city"
    nobody_on_duty_in_the_county: "43-nobody-on-duty-in-the-county"
    a_message_is_left: "44-a-message-is-left"
    a_message_ended_by_hanging_up: "45-a-message-ended-by-hanging-up"
    a_message_too_short: "46-a-message-too-short"
    a_wrong_number: "47-a-wrong-number"
    a_stranger: "48-a-stranger"
    a_visitor_calls_with_digest: "49-a-visitor-calls-with-digest"
    a_wrong_password: "50-a-wrong-password"
    no_common_codec: "51-no-common-codec"
    a_full_house: "52-a-full-house"
    unknown_methods: "53-unknown-methods"
    options: "54-options"
    drain: "55-drain"
    everybody_is_hung_up: "56-everybody-is-hung-up"
    the_caller_leaves_before_the_answer_arrives: "57-the-caller-leaves-before-the-answer-arrives"
    a_cancel_too_late: "58-a-cancel-too-late"
    an_offer_never_answered: "59-an-offer-never-answered"
    hold_by_an_answer: "60-hold-by-an-answer"
    a_caller_on_hold_is_connected: "61-a-caller-on-hold-is-connected"
    a_change_that_cannot_be_taken: "62-a-change-that-cannot-be-taken"
    an_unusable_answer: "63-an-unusable-answer"
    a_lawyer_pauses_while_it_rings: "64-a-lawyer-pauses-while-it-rings"
    the_next_call_waits_for_the_wrap_up: "65-the-next-call-waits-for-the-wrap-up"
    a_phone_that_answers_no_options_gets_no_calls: "66-a-phone-that-answers-no-options-gets-no-calls"
    a_lawyer_on_a_mobile_presses_1: "67-a-lawyer-on-a-mobile-presses-1"
    a_mailbox_answers: "68-a-mailbox-answers"
    a_mobile_is_refused: "69-a-mobile-is-refused"
    the_caller_leaves_while_a_mobile_is_asked: "70-the-caller-leaves-while-a-mobile-is-asked"
    key_1_crosses_the_withdrawal: "71-key-1-crosses-the-withdrawal"
    other_keys_on_a_mobile: "72-other-keys-on-a-mobile"
    the_trunk_of_a_mobile_is_gone: "73-the-trunk-of-a-mobile-is-gone"
    a_lawyer_with_a_phone_and_a_mobile: "74-a-lawyer-with-a-phone-and-a-mobile"
    a_supervisor_moves_a_call: "75-a-supervisor-moves-a-call"
    the_lawyer_who_knows_the_caller: "76-the-lawyer-who-knows-the-caller"
    the_lawyer_who_knows_the_caller_is_busy: "77-the-lawyer-who-knows-the-caller-is-busy"
    the_records_answer_too_late: "78-the-records-answer-too-late"
    a_repeated_call_has_a_head_start: "79-a-repeated-call-has-a-head-start"
    a_reload_while_callers_wait: "80-a-reload-while-callers-wait"
    a_reload_in_the_middle_of_a_talk: "81-a-reload-in-the-middle-of-a-talk"
    a_reload_in_the_menu: "82-a-reload-in-the-menu"
    a_call_back_keeps_the_place: "83-a-call-back-keeps-the-place"
    a_call_back_is_not_answered: "84-a-call-back-is-not-answered"
    a_call_back_that_nobody_has_time_for: "85-a-call-back-that-nobody-has-time-for"
    a_lawyer_is_found_before_the_caller_hangs_up: "86-a-lawyer-is-found-before-the-caller-hangs-up"
    a_number_has_one_call_back: "87-a-number-has-one-call-back"
    who_cannot_be_called_back_stays_on_the_line: "88-who-cannot-be-called-back-stays-on-the-line"
    the_house_closes_over_a_call_back: "89-the-house-closes-over-a-call-back"
    the_house_closes_before_the_caller_hangs_up: "92-the-house-closes-before-the-caller-hangs-up"
    the_house_closes_over_a_caller_who_is_dialled: "93-the-house-closes-over-a-caller-who-is-dialled"
    a_pool_is_closed_by_hand: "94-a-pool-is-closed-by-hand"
    every_pool_is_closed_by_hand: "95-every-pool-is-closed-by-hand"
    what_was_closed_by_hand_stays_so_over_a_restart: "96-what-was-closed-by-hand-stays-so-over-a-restart"
    failure_09_abandoned_calls_are_not_split: "failure-09-abandoned-calls-are-not-split"
    failure_11_an_announcement_swallows_a_key_or_delays_a_bridge:
        "failure-11-an-announcement-swallows-a-key-or-delays-a-bridge"
    a_shift_ends_while_the_phone_rings: "90-a-shift-ends-while-the-phone-rings"
    a_talk_outlasts_its_shift: "91-a-talk-outlasts-its-shift"
    a_caller_is_asked_how_it_was: "120-a-caller-is-asked-how-it-was"
    no_answer_to_the_survey: "121-no-answer-to-the-survey"
    the_caller_hangs_up_in_the_survey: "122-the-caller-hangs-up-in-the-survey"
    a_short_talk_is_not_asked_about: "123-a-short-talk-is-not-asked-about"
    a_caller_is_asked_whose_lawyers_phone_has_died:
        "124-a-caller-is-asked-whose-lawyers-phone-has-died"
    who_hangs_up_is_not_asked: "125-who-hangs-up-is-not-asked"
    a_caller_on_hold_is_asked: "126-a-caller-on-hold-is-asked"
    a_caller_who_was_called_back_is_asked: "127-a-caller-who-was-called-back-is-asked"
    the_house_closes_over_a_survey: "128-the-house-closes-over-a-survey"
    a_caller_is_lost_in_the_survey: "129-a-caller-is-lost-in-the-survey"
    failure_07_the_survey_is_lost_or_asked_twice: "failure-07-the-survey-is-lost-or-asked-twice"
    a_shift_done_by_mobile: "100-a-shift-done-by-mobile"
    a_shift_done_by_mobile_while_the_trunk_is_gone: "101-a-shift-done-by-mobile-while-the-trunk-is-gone"
    a_caller_is_passed_on: "130-a-caller-is-passed-on"
    whom_the_caller_was_passed_on_to_hangs_up: "131-whom-the-caller-was-passed-on-to-hangs-up"
    a_busy_number_and_the_next_one: "132-a-busy-number-and-the-next-one"
    nobody_outside_answers: "133-nobody-outside-answers"
    the_caller_leaves_while_a_number_outside_rings: "134-the-caller-leaves-while-a-number-outside-rings"
    a_late_200_from_outside: "135-a-late-200-from-outside"
    the_trunk_to_the_outside_is_gone: "136-the-trunk-to-the-outside-is-gone"
    the_house_closes_over_a_transfer: "137-the-house-closes-over-a-transfer"
    everybody_is_hung_up_while_a_number_outside_rings: "138-everybody-is-hung-up-while-a-number-outside-rings"
    a_closed_house_passes_callers_on: "139-a-closed-house-passes-callers-on"
    failure_06_a_transfer_loses_the_recording_or_the_record:
        "failure-06-a-transfer-loses-the-recording-or-the-record"
    an_answer_from_outside_that_cannot_be_used: "141-an-answer-from-outside-that-cannot-be-used"
    a_late_200_of_a_number_that_was_given_up: "142-a-late-200-of-a-number-that-was-given-up"
    an_outside_line_goes_silent: "143-an-outside-line-goes-silent"
    three_way_by_keys_of_the_phone: "170-three-way-by-keys-of-the-phone"
    a_phone_refers_the_caller_to_12345: "171-a-phone-refers-the-caller-to-12345"
    a_phone_that_refers_and_hangs_up: "172-a-phone-that-refers-and-hangs-up"
    a_referral_that_fails: "173-a-referral-that-fails"
    a_referral_to_a_forbidden_number: "174-a-referral-to-a-forbidden-number"
    a_phone_refers_the_caller_to_another_pool: "175-a-phone-refers-the-caller-to-another-pool"
    a_referral_out_of_a_conference: "176-a-referral-out-of-a-conference"
    keys_by_info: "177-keys-by-info"
    keys_by_info_of_a_phone_that_sends_them_in_its_audio: "178-keys-by-info-of-a-phone-that-sends-them-in-its-audio"
    a_supervisor_leaves_while_the_caller_is_on_hold: "187-a-supervisor-leaves-while-the-caller-is-on-hold"
    a_supervisor_listens_whispers_and_barges_in: "180-a-supervisor-listens-whispers-and-barges-in"
    a_supervisor_hangs_up: "181-a-supervisor-hangs-up"
    a_supervisors_phone_does_not_answer: "182-a-supervisors-phone-does-not-answer"
    a_talk_ends_under_a_supervisor: "183-a-talk-ends-under-a-supervisor"
    a_supervisor_in_a_talk_of_three: "184-a-supervisor-in-a-talk-of-three"
    one_supervisor_a_call: "185-one-supervisor-a-call"
    the_talk_ends_while_a_supervisors_phone_rings: "186-the-talk-ends-while-a-supervisors-phone-rings"
    a_lawyer_calls_12345_in: "150-a-lawyer-calls-12345-in"
    a_lawyer_consults_and_comes_back: "151-a-lawyer-consults-and-comes-back"
    a_third_party_is_busy: "152-a-third-party-is-busy"
    a_third_party_does_not_answer: "153-a-third-party-does-not-answer"
    a_third_party_cannot_be_reached: "154-a-third-party-cannot-be-reached"
    a_lawyer_leaves_while_it_rings: "155-a-lawyer-leaves-while-it-rings"
    whom_a_lawyer_left_is_not_dropped: "156-whom-a-lawyer-left-is-not-dropped"
    the_caller_leaves_a_consultation: "157-the-caller-leaves-a-consultation"
    the_caller_leaves_while_a_third_party_rings: "158-the-caller-leaves-while-a-third-party-rings"
    a_third_party_leaves_a_consultation: "159-a-third-party-leaves-a-consultation"
    the_caller_leaves_a_conference: "160-the-caller-leaves-a-conference"
    a_lawyer_passes_the_caller_to_another_pool: "161-a-lawyer-passes-the-caller-to-another-pool"
    a_lawyer_passes_the_caller_to_a_pool_without_anybody: "162-a-lawyer-passes-the-caller-to-a-pool-without-anybody"
    a_lawyer_leaves_a_consultation: "163-a-lawyer-leaves-a-consultation"
    a_lawyer_is_lost_in_a_conference: "164-a-lawyer-is-lost-in-a-conference"
    a_third_party_goes_silent: "165-a-third-party-goes-silent"
    holding_in_a_conference: "166-holding-in-a-conference"
    after_a_third_party_the_caller_is_asked: "167-after-a-third-party-the-caller-is-asked"
    wishes_that_do_not_fit: "168-wishes-that-do-not-fit"
    the_house_closes_over_a_conference: "169-the-house-closes-over-a-conference"
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("flows")
}

fn check(name: &str) {
    let path = folder().join(format!("{name}.md"));
    let text = std::fs::read_to_string(&path).expect("the file is there");
    let script = block(&text, "script").unwrap_or_else(|| panic!("{name}.md has no script"));
    let played = stage::play(script).unwrap_or_else(|what| panic!("{name}.md: {what}")).join("\n") + "\n";
    let expected = block(&text, "ladder").unwrap_or_default();
    if played == expected {
        return;
    }
    if std::env::var_os("HOTLINE_FLOWS_WRITE").is_some() {
        std::fs::write(&path, with_ladder(&text, &played)).expect("the file can be written");
        return;
    }
    panic!("{name}.md says (-), and what happened (+):\n{}", difference(expected, &played));
}

/// What is between the fences of a block.
fn block<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("```{kind}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}

fn with_ladder(text: &str, ladder: &str) -> String {
    let head = text.split_once("```ladder\n").map_or(text, |(head, _)| head);
    format!("{}\n\n```ladder\n{ladder}```\n", head.trim_end())
}

/// The lines of both, those of only one marked, by their longest common subsequence.
fn difference(expected: &str, played: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), played.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let longest = common[i + 1][j].max(common[i][j + 1]);
            common[i][j] = if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { longest };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', new[j - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        let _ = writeln!(text, "{mark} {line}"); // writing to a String cannot fail
    }
    text
}
