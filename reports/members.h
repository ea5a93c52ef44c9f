// How the report document is written to JSON and read back, a member at a time; for report.cpp and its parts alone.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>

#include "properties/judgement.h"
#include "reports/escape.h"

namespace rehearse::reports {

namespace json = boost::json;
using properties::Verdict;

inline json::value text(const std::string& value) { return json::value(valid_utf8(value)); }

// JSON has no NaN and no infinity; a measurement that is neither counts as not measured.
inline json::value measured(double value) { return json::value(std::isfinite(value) ? value : 0.0); }

// Reads the members of one object; every complaint names the member.
class Members {
 public:
  Members(const json::value& value, std::string_view what) : what_(what) {
    if (!value.is_object()) throw std::invalid_argument(fmt::format("The report is damaged: {} is no object.", what));
    object_ = &value.get_object();
  }

  const json::value& at(std::string_view name) const {
    const json::value* value = object_->if_contains(name);
    if (value == nullptr) complain(name, "is missing");
    return *value;
  }

  std::string text(std::string_view name) const {
    const auto* value = at(name).if_string();
    if (value == nullptr) complain(name, "is no text");
    return {value->begin(), value->end()};
  }

  template <class Number>
  Number number(std::string_view name) const {
    boost::system::error_code failed;
    const auto value = at(name).to_number<Number>(failed);
    if (failed) complain(name, "is no number of its kind");
    return value;
  }

  const json::array& list(std::string_view name) const {
    const auto* value = at(name).if_array();
    if (value == nullptr) complain(name, "is no list");
    return *value;
  }

  Verdict verdict(std::string_view name) const {
    const std::string value = text(name);
    for (const auto each : {Verdict::pass, Verdict::unknown, Verdict::fail}) {
      if (properties::name_of(each) == value) return each;
    }
    complain(name, "is no verdict");
  }

  bool truth(std::string_view name) const {
    const auto* value = at(name).if_bool();
    if (value == nullptr) complain(name, "is no truth");
    return *value;
  }

 private:
  [[noreturn]] void complain(std::string_view name, std::string_view complaint) const {
    throw std::invalid_argument(fmt::format("The report is damaged: \"{}\" of {} {}.", name, what_, complaint));
  }

  std::string_view what_;
  const json::object* object_ = nullptr;
};

}  // namespace rehearse::reports
