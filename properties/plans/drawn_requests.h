// The requests of a plan that is being drawn: which operation is asked for, which thing it is about, and which values it sends.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "properties/plans/dice.h"
#include "properties/plans/drawing.h"
#include "properties/plans/operations.h"
#include "replay/plan.h"

namespace rehearse::properties {

class DrawnRequests {
 public:
  // Each plan leaves some operations out: what is left meets itself more often. A step that is drawn is the next one of `plan`, unless
  // it makes nothing. All arguments must outlive this.
  DrawnRequests(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met,
                const replay::Plan& plan, Dice& dice);

  // What a client of the lane may ask for now; lane 0: one whose requests everybody's come behind.
  [[nodiscard]] replay::Step any(Stage stage, std::int64_t lane);
  // A request of this operation.
  [[nodiscard]] replay::Step of(const Operation& operation, std::int64_t lane);

  // The thing that a request names in its path, if it names one.
  struct Thing {
    Sort sort;
    std::string value;
    std::optional<replay::Use> use;
  };
  [[nodiscard]] static std::optional<Thing> thing_of(const Operation& operation, const replay::Step& step);
  // A request of the operation about that thing. REQUIRES: the operation names one of that sort in its path.
  [[nodiscard]] replay::Step about(const Thing& thing, const Operation& operation, std::int64_t lane);

  // Operations of the plan that are writes: those that make something, those that work on something, and all.
  [[nodiscard]] std::vector<const Operation*> creating() const;
  [[nodiscard]] std::vector<const Operation*> changing() const;
  [[nodiscard]] const std::vector<const Operation*>& writes() const { return writes_; }
  [[nodiscard]] const std::vector<const Operation*>& reads() const { return reads_; }
  // Those of the plan that name one thing of the sort in their path, and nothing else there.
  [[nodiscard]] std::vector<const Operation*> about_one(const Sort& sort, bool read) const;

  // Draws nothing but reads from now on, where there are any.
  void only_reads(bool only) { only_reads_ = only && !reads_.empty(); }
  // What is odd may be refused, and comes to no wire then. Returns what was said before.
  std::size_t odd_percent(std::size_t percent) { return std::exchange(odd_percent_, percent); }
  // What lanes made may be named by everybody.
  void lanes_ended();
  [[nodiscard]] std::string new_mark();

  // Reads of what was written, by the reads that the interface has for it, and lists that it may stand in.
  [[nodiscard]] std::vector<replay::Step> read_back();

 private:
  // Something that a step of the plan may create, and how its name is taken from the answer.
  struct Handle {
    replay::StepId step = 0;
    replay::Place source;
    std::int64_t lane = 0;  // 0: every lane may name it
  };

  [[nodiscard]] const Operation& choose(Stage stage);
  [[nodiscard]] const std::vector<std::string>& hot(const Sort& sort);
  void fill(const Slot& slot, const Operation& operation, replay::Request& request, replay::Step& step,
            std::int64_t lane);
  [[nodiscard]] bool echo(const Slot& slot, const std::string& old, replay::Request& request, replay::Step& step);
  void refer(const Slot& slot, const Operation& operation, const std::string& old, replay::Request& request,
             replay::Step& step, std::int64_t lane);
  void refer_to_other(const Slot& slot, const std::string& old, replay::Request& request);
  [[nodiscard]] replay::Step sent_again(const replay::Step& sent);
  void read_made(const Sort& sort, const std::vector<Handle>& handles, std::vector<replay::Step>& reads) const;
  void list_written(std::vector<replay::Step>& reads);

  const Catalogue& catalogue_;
  const DrawingOptions& options_;
  const MetSoFar& met_;
  const replay::Plan& plan_;
  Dice& dice_;
  std::vector<const Operation*> writes_, reads_;
  std::size_t odd_percent_ = 0;
  bool only_reads_ = false;
  std::vector<std::pair<replay::Step, std::int64_t>> readable_;    // reads of one thing, and whose
  std::vector<std::pair<replay::Step, std::int64_t>> repeatable_;  // and the lane that may repeat it; 0: every one
  std::vector<std::pair<replay::Step, std::int64_t>> submitted_;   // what makes something, and whose
  const Slot* odd_slot_ = nullptr;                                 // of the request that is drawn
  std::optional<Thing> thing_;                                     // that it is about
  std::set<std::string> named_;                                    // the things that it names already
  std::map<Sort, std::vector<std::string>> hot_;
  std::map<Sort, std::vector<Handle>> handles_;
  int marks_;
};

// Takes the conditions out of a request: what was true in the capture is hardly true here.
void without_conditions(replay::Step& step);
// The first mark in the text, "~12~"; empty: none.
[[nodiscard]] std::string mark_in(std::string_view text);

}  // namespace rehearse::properties
