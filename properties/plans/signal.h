// The cues of a generated plan: what happens to the system under test between its requests, in words that stand in the plan file.
//
//   world shadow                     both databases as at the start (behind the copy where the stage needs one), the flag there
//   flip live                        set the flag, and wait until every instance serves it
//   set live                         set the flag and go on: requests under way straddle the flip
//   settle                           wait for the propagation bound of the flag
//   wait 20ms
//   ready                            wait until every service answers
//   copy | copy back                 legacy → new, new → legacy
//   copy cut 15ms                    the command is killed then
//   alter new-database               or legacy-database: rows changed by hand, by the SQL that the configuration has under poison
//   break new-database stopped       or read-only, hung; or legacy-database: by SQL, until it is mended
//   mend                             all that is broken by SQL, and what a wire does
//   stop new | start new             or legacy; kill ends it without a chance to finish, pause and resume stop and continue it
//   flag gone | flag garbage         the source of the flag, until "flag back"
//   wire new-database: hold ...      a rule for what passes over a wire; harness/wires/rule.h has the words
//   relate M5 live                   nothing by itself: the place where a relation changes the plan; relations.h has the words
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "properties/stage.h"
#include "replay/plan.h"

namespace rehearse::properties {

struct Signal {
  enum class Kind : std::uint8_t {
    world,
    flip,
    set,
    set_back,
    settle,
    wait,
    ready,
    copy,
    copy_back,
    break_database,
    mend,
    alter,
    service,
    flag_source,
    wire,
    relate
  };
  Kind kind = Kind::settle;
  Stage stage = Stage::off;            // world, flip, set
  std::chrono::milliseconds pause{0};  // wait; of a copy: when it is killed, 0 not at all
  std::string what;                    // "new-database", "legacy"; of a wire its name; "M5", "end" of a relation
  std::string how;  // "stopped", "kill", "gone"; of a wire the rule; of a relation what it needs to know
  friend bool operator==(const Signal&, const Signal&) = default;

  // What is done to the system rather than asked of it: a fault, or the end of one.
  [[nodiscard]] bool fault() const;
  [[nodiscard]] bool moves_the_flag() const { return kind == Kind::flip || kind == Kind::set; }
};

// Throws Error with one sentence when the cue is none of these.
[[nodiscard]] Signal signal_in(std::string_view cue);
[[nodiscard]] std::string cue_of(const Signal& signal);

[[nodiscard]] Signal world_at(Stage stage);
[[nodiscard]] Signal flip_to(Stage stage);
[[nodiscard]] Signal set_to(Stage stage);

// The stage in which the plan begins, by its first cue; off when it names none.
[[nodiscard]] Stage begins_in(const replay::Plan& plan);
// The stages that the plan visits over legal edges, the first one included, in its order of steps.
[[nodiscard]] std::vector<Stage> stages_of(const replay::Plan& plan);

}  // namespace rehearse::properties
