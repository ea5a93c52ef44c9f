// For tests: the evidence of a rehearsal in which everything holds, to be broken in one place, and the words to tell stories with.
#pragma once

#include <string>
#include <vector>

#include "properties/check.h"

namespace rehearse::properties::testing {

// Requests and answers.
[[nodiscard]] replay::Request get(const std::string& target);
[[nodiscard]] replay::Request post(const std::string& target, const std::string& body = "{}");
[[nodiscard]] replay::Response json(int status, const std::string& body, replay::Headers more = {});

// A record of a step that was answered; times follow from the step.
[[nodiscard]] replay::Record answered(replay::StepId step, replay::Request request, replay::Response response);

// Two databases that hold the same hundred rows.
[[nodiscard]] Comparison same(const std::string& left, const std::string& right);
void differ(Comparison& comparison, RowDifference::Kind kind, const std::string& entity, const std::string& key,
            const std::string& column = "", const std::string& left = "", const std::string& right = "");
// A database that was watched and not written; and what a write makes of it.
[[nodiscard]] Changes silence();
void write(Changes& changes, const std::string& table, std::int64_t rows = 1);

// The contract of the made-up services.
[[nodiscard]] Contract contract();

// Evidence of every stage, every fault and every edge in which every check passes.
[[nodiscard]] Evidence rehearsed();

[[nodiscard]] Section& section_of(Evidence& evidence, const std::string& name);
// The history that the section played.
[[nodiscard]] replay::History& played(Evidence& evidence, const Section& section);

}  // namespace rehearse::properties::testing
