#include "replay/redaction/edit.h"

#include <algorithm>
#include <numeric>

namespace rehearse::replay {

std::string edited(std::string_view text, std::vector<Edit> edits) {
  std::vector<std::size_t> order(edits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return edits[a].at < edits[b].at; });
  // An edit yields to an earlier one that it overlaps; of the sorted ones only neighbours can.
  std::vector<std::size_t> kept;
  for (const std::size_t i : order) {
    if (!kept.empty() && edits[kept.back()].at + edits[kept.back()].length > edits[i].at) {
      if (i < kept.back()) kept.back() = i;
      continue;
    }
    kept.push_back(i);
  }
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  for (const std::size_t i : kept) {
    out.append(text.substr(at, edits[i].at - at)).append(edits[i].with);
    at = edits[i].at + edits[i].length;
  }
  return out.append(text.substr(at));
}

}  // namespace rehearse::replay
