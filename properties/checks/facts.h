// How checks put facts into words, and the looks that several invariants share.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "properties/answers/answers.h"
#include "properties/check.h"

namespace rehearse::properties {

// "POST /orders (step 812) was answered 201"; "... was lost (no answer within 10000 ms ...)".
[[nodiscard]] std::string what_happened(const replay::Record& record);

[[nodiscard]] bool acknowledged(const replay::Record& record);  // a write answered 2xx: W_ok
// A write answered 4xx, or with the status and the headers that the contract declares for a refusal: W_refused.
[[nodiscard]] bool refused(const Contract& contract, const replay::Record& record);

// "the new database has no orders/30011", "orders/30011.status is paid in the legacy database and open in the new database".
[[nodiscard]] std::string in_words(const Comparison& comparison, const RowDifference& difference);

// The last acknowledged write of the history that names the key, or nothing.
[[nodiscard]] const replay::Record* writer_of(const replay::History* history, const std::string& key);

// The request that wrote a row last: by the commit log and the times of the requests where they tell, else as above.
[[nodiscard]] const replay::Record* writer_of(const Section& section, const replay::History* history,
                                              const RowDifference& row);

// True when an alert of the section names the row or the row that it is part of, or alerts do not name such rows.
[[nodiscard]] bool named_by_alert(const Evidence& evidence, const Section& section, const RowDifference& row);

// True for a write that is no operation of the service: unknown to the legacy service too (405, 501).
[[nodiscard]] bool no_operation(const Evidence& evidence, const replay::Record& record);

// Reports each row difference that `which` accepts as a contradiction; all are counted.
void contradict_rows(const Evidence& evidence, const Section& section, const Comparison& comparison, Outcome& outcome,
                     const std::function<bool(const RowDifference&)>& which);

// The comparison of that name, when it is whole; else says so to `outcome` and returns nothing.
[[nodiscard]] const Comparison* comparison_of(const Section& section, std::string_view name, Outcome& outcome);

// The changes of "legacy" or "new" when they are known; else says so and returns nothing.
[[nodiscard]] const Changes* changes_of(const Section& section, const std::string& store, Outcome& outcome);

// "orders: 3 rows (table public.orders: INSERT: ...)", "sequence orders_id_seq moved".
[[nodiscard]] std::string in_words(const Changes& changes);

// Holds the section's play against the oracle's answers.
void expect_oracle_answers(const Evidence& evidence, const Section& section, Outcome& outcome, const Which& which);

// Every pair of reads must have equal answers.
void expect_equal_pairs(const Evidence& evidence, const Section& section, Outcome& outcome);

// With legacy stopped no write is acknowledged and the new database is not written.
void expect_writes_to_fail_without_trace(const Evidence& evidence, const Section& section, Outcome& outcome);

// The whole play's acknowledged writes are counted as looked at; a play that acknowledged none proves nothing.
void look_at_acknowledged_writes(const Evidence& evidence, const Section& section, Outcome& outcome);

// True when the new service did not say which stage it serves, before or after the attempt: then nothing was proved.
[[nodiscard]] bool served_nothing(const FlagTrial& trial);

// Every answer in the history must be the declared one.
void expect_answer(const Contract::Answer& declared, const replay::History& history, Outcome& outcome,
                   std::string_view who, const Which& which);

}  // namespace rehearse::properties
