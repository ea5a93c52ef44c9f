// Two bodies of one media type, or two values of one field, whatever they hold, compared as answers: what is the same is equal, the
// differences are the same with the sides changed, and for JSON the canonical form decides equality.
//
// Input: a byte that chooses the media type and, by its highest bit, a coding that the bodies claim to have; with the second highest
// alone it chooses a field of the default ones; then two bodies or values, of which the first ends at the first byte 0xFF. Values of a
// field may be several, a line each.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/field_values.h"
#include "properties/answers/groups.h"
#include "properties/answers/json_reader.h"
#include "properties/answers/path.h"
#include "replay/error.h"

namespace {

using namespace rehearse::properties;
using rehearse::replay::Record;

constexpr std::array<std::string_view, 8> types{"application/json",
                                                "application/x-ndjson",
                                                "application/x-www-form-urlencoded",
                                                "text/csv",
                                                "application/xml",
                                                "text/html",
                                                "multipart/form-data; boundary=b",
                                                "image/png"};
constexpr std::array<std::string_view, 4> codings{"gzip", "deflate", "br", "zstd"};

bool of_a_field(std::uint8_t kind) { return (kind & 0xC0) == 0x40; }

Record answer(std::uint8_t kind, std::string_view body) {
  Record record;
  if (of_a_field(kind)) {
    record.outcome = rehearse::replay::Outcome::answered;
    record.request = {"GET", "/a", {}, ""};
    record.response = {200, {{"Date", "Sun, 06 Nov 1994 12:00:00 GMT"}}, "x"};
    const auto& names = contract_headers();
    while (!body.empty()) {
      const auto end = std::min(body.find('\n'), body.size());
      record.response.headers.push_back({names[kind % names.size()], std::string(body.substr(0, end))});
      body.remove_prefix(std::min(end + 1, body.size()));
    }
    return record;
  }
  record.outcome = rehearse::replay::Outcome::answered;
  record.request = {"GET", "/a", {}, ""};
  record.response = {200, {{"Content-Type", std::string(types[kind % types.size()])}}, std::string(body)};
  if ((kind & 0x80) != 0)
    record.response.headers.push_back({"Content-Encoding", std::string(codings[kind / types.size() % codings.size()])});
  return record;
}

Difference swapped(Difference d) {
  using enum Difference::Kind;
  if (d.kind == missing || d.kind == extra) d.kind = d.kind == missing ? extra : missing;
  std::swap(d.expected, d.observed);
  if (!d.observed_path.empty()) std::swap(d.path, d.observed_path);
  return d;
}

void sort(std::vector<Difference>& differences) {
  std::sort(differences.begin(), differences.end(), [](const Difference& x, const Difference& y) {
    return std::tie(x.path, x.kind, x.expected, x.observed, x.observed_path) <
           std::tie(y.path, y.kind, y.expected, y.observed, y.observed_path);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t kind = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto end = std::min(bytes.find('\xFF'), bytes.size());
  const std::string_view left = bytes.substr(0, end), right = bytes.substr(std::min(end + 1, bytes.size()));
  Contract contract;
  if (of_a_field(kind)) contract.compared_headers = contract_headers();
  const AnswerComparer comparer(contract, Correspondence{}, 0, "http://a", "http://a");
  const Record a = answer(kind, left), b = answer(kind, right);
  ENSURE(comparer.differences(a, a).empty());
  auto forth = comparer.differences(a, b), back = comparer.differences(b, a);
  for (const Difference& difference : forth) {
    ENSURE(path_from(difference.path).has_value());
    ENSURE(!without_indices(difference.path).empty());
  }
  const bool whole = forth.empty() || !forth.back().expected.ends_with("more differences");
  if (whole) {
    for (Difference& difference : back) difference = swapped(difference);
    sort(forth), sort(back);
    ENSURE(forth == back);
  }
  if (!forth.empty()) ENSURE(side_by_side(a.response, b.response, forth.front()).size() <= max_body_rows + 1);
  Tree left_tree, right_tree;
  if (kind == 0 && !read_json(left, left_tree) && !read_json(right, right_tree))
    ENSURE(forth.empty() == (canonical_json(left_tree) == canonical_json(right_tree)));
  return 0;
}
