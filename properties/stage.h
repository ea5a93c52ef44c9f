// The five stages of a migration and the edges between them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

enum class Stage { off, read_only, shadow, live, completed };

inline constexpr std::array all_stages{Stage::off, Stage::read_only, Stage::shadow, Stage::live, Stage::completed};

// The stage's name in reports and on the command line: "off", "read-only", "shadow", "live", "completed".
[[nodiscard]] std::string_view name_of(Stage stage);
[[nodiscard]] std::optional<Stage> stage_named(std::string_view name);

// One transition of the flag. Legal edges join neighbours: off⇄read-only⇄shadow⇄live⇄completed.
struct Edge {
  Stage from;
  Stage to;
  friend bool operator==(const Edge&, const Edge&) = default;
};

// "live → completed", as reports print it.
[[nodiscard]] std::string name_of(const Edge& edge);
// Parses "live:completed". Empty when a stage is unknown or the edge is not legal.
[[nodiscard]] std::optional<Edge> edge_named(std::string_view name);
// The invariant that speaks of the edge: E1 for off → read-only, E1' for its way back, ... E4'.
[[nodiscard]] std::string_view invariant_of(const Edge& edge);
[[nodiscard]] bool legal(Stage from, Stage to);

// The stages from `from` to `to`, both included, over legal edges only.
[[nodiscard]] std::vector<Stage> path(Stage from, Stage to);

// Which store answers for the data in a stage: true for the new database (live and completed).
[[nodiscard]] bool new_store_is_authoritative(Stage stage);

}  // namespace rehearse::properties
