#include "properties/stage.h"

#include <cstdlib>

namespace rehearse::properties {
namespace {

constexpr std::array<std::string_view, 5> stage_names{"off", "read-only", "shadow", "live", "completed"};
constexpr std::array<std::string_view, 4> edge_up{"E1", "E2", "E3", "E4"};
constexpr std::array<std::string_view, 4> edge_down{"E1'", "E2'", "E3'", "E4'"};

int index_of(Stage stage) { return static_cast<int>(stage); }

}  // namespace

std::string_view name_of(Stage stage) { return stage_names[static_cast<std::size_t>(stage)]; }

std::optional<Stage> stage_named(std::string_view name) {
  for (Stage stage : all_stages) {
    if (name_of(stage) == name) return stage;
  }
  return std::nullopt;
}

std::string name_of(const Edge& edge) {
  return std::string(name_of(edge.from)) + " → " + std::string(name_of(edge.to));
}

std::optional<Edge> edge_named(std::string_view name) {
  const auto colon = name.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto from = stage_named(name.substr(0, colon));
  const auto to = stage_named(name.substr(colon + 1));
  if (!from || !to || !legal(*from, *to)) return std::nullopt;
  return Edge{*from, *to};
}

std::string_view invariant_of(const Edge& edge) {
  return index_of(edge.from) < index_of(edge.to) ? edge_up[static_cast<std::size_t>(edge.from)]
                                                 : edge_down[static_cast<std::size_t>(edge.to)];
}

bool legal(Stage from, Stage to) { return std::abs(index_of(from) - index_of(to)) == 1; }

std::vector<Stage> path(Stage from, Stage to) {
  const int step = index_of(from) <= index_of(to) ? 1 : -1;
  std::vector<Stage> stages{from};
  for (int i = index_of(from); i != index_of(to); i += step)
    stages.push_back(all_stages[static_cast<std::size_t>(i + step)]);
  return stages;
}

bool new_store_is_authoritative(Stage stage) { return stage == Stage::live || stage == Stage::completed; }

}  // namespace rehearse::properties
