// Why one captured request waits for another. A cause is believed only where the capture proves the order: the one's answer had
// ended before the other one began. Requests that overlapped stay concurrent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replay/exchange.h"
#include "replay/plan.h"
#include "replay/sessions.h"
#include "replay/values.h"

namespace rehearse::replay {

struct CauseOptions {
  bool session = true;                    // what a user did later, on whatever connection, waits for what came before
  bool entity = true;                     // what names the same entity, when one of the two writes
  std::vector<std::string> session_keys;  // see SessionFinder
};

// Finds causes while steps are shown to it in the order in which their requests began.
class CauseFinder {
 public:
  explicit CauseFinder(CauseOptions options);

  // The causes of `step`, whose request is that of `exchange` and holds `values`; `made` are the entities that its answer made. Requests
  // name an entity (see `entities_of`), or use what the same answer made.
  // One step may be a cause for several reasons; one that another of the causes waited for by the same reason is left out.
  [[nodiscard]] std::vector<Cause> causes_of(const Step& step, const Exchange& exchange,
                                             const std::vector<Value>& values, const std::vector<std::string>& made);

 private:
  // Steps that ended and that nothing later is known to have waited for.
  class Frontier {
   public:
    struct Ended {
      StepId step = 0;
      std::int64_t lane = 0, begin_ns = 0, end_ns = 0;
    };
    void ended(const Ended& step, bool writes);
    // A write whose answer named the entity: it did not wait for what came before.
    void made(const Ended& step);
    void causes_of(bool writes, CauseKind kind, std::vector<Cause>& causes) const;

   private:
    void drop_covered_reads();
    std::vector<Ended> writes_, reads_;
    std::size_t reads_looked_at_ = 0;  // how many there were when it was last looked which of them are needed
  };
  struct Running {
    Frontier::Ended step;
    bool writes = false;
    std::vector<std::uint64_t> sessions, entities, made;
    friend bool operator>(const Running& a, const Running& b) { return a.step.end_ns > b.step.end_ns; }
  };
  void end(const Running& running);

  CauseOptions options_;
  SessionFinder session_finder_;
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::unordered_map<std::int64_t, Frontier> lanes_;
  std::unordered_map<std::uint64_t, Frontier> sessions_, entities_;  // by a digest of the name
};

// The entities that a request names, "order 41": by segments of its path behind the name of a collection, and by fields of its
// query and its JSON or form body whose name says that they are identifiers. A request to create one names none; its answer does.
[[nodiscard]] std::vector<std::string> entities_of(const std::vector<Value>& request);
// The one that `value` of the answer to `request` names as made by it, when it does.
[[nodiscard]] std::optional<std::string> entity_made_by(const Request& request, const ValueView& value);

}  // namespace rehearse::replay
