#include "replay/player.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <thread>

#include "replay/error.h"
#include "replay/play/connection.h"
#include "replay/play/schedule.h"
#include "replay/play/target.h"
#include "replay/play/worker.h"

namespace rehearse::replay {
namespace {

// Files that may still be opened for other things: a database's journal, a cue's pipes.
constexpr std::size_t other_files = 8;

// So many lanes may always be under way at once.
constexpr std::size_t few_lanes = 64;
constexpr std::int64_t a_second = 1'000'000'000;

// How long a thread may take to be there.
constexpr std::chrono::nanoseconds start_up{10'000'000};

// When requests leave later than this, times that are measured say more of the sender than of the service.
constexpr std::int64_t max_late_p50_ns = 1'000'000;
constexpr std::int64_t max_late_p99_ns = 20'000'000;
// So does a sender without rest: answers wait for it, and what follows them too.
constexpr double max_busy = 0.95;
constexpr std::int64_t shortest_judged_ns = 200'000'000;

// Files that this process has open.
std::size_t open_files() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

// How many connections the process may have beside `workers`; raises its limit as far as it may. Throws Error when there are none.
std::size_t connections_allowed(std::size_t workers) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 256;
  if (files.rlim_cur < files.rlim_max) {
    rlimit raised = files;
    raised.rlim_cur = std::min<rlim_t>(files.rlim_max, 65'536);
    if (raised.rlim_cur > files.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  }
  const auto all = static_cast<std::size_t>(files.rlim_cur);
  const std::size_t taken = open_files() + 2 * workers + other_files;
  if (taken + workers > all)
    throw Error(fmt::format("{} files may be open, which leaves no connection: raise the limit (ulimit -n)", all));
  return all - taken;
}

class Player {
 public:
  Player(const Plan& plan, const PlayOptions& options) : plan_(plan), options_(options), shared_(plan, options) {
    destinations_.push_back(destination_of(options.target));
    for (const std::string& other : options.other_instances) destinations_.push_back(destination_of(other));
    if (std::any_of(destinations_.begin(), destinations_.end(), [](const Destination& each) { return each.tls; }))
      shared_.tls = tls_context(options.tls, options.http);
    divide();
  }

  History run() {
    History history;
    history.name = options_.name;
    history.target = options_.target;
    history.began_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    // Times begin when the workers are up.
    const auto lead = shared_.has_times() ? start_up : std::chrono::nanoseconds(0);
    shared_.start = Shared::Clock::now() + lead;
    history.began_ns += lead.count();
    if (workers_.size() == 1 && !shared_.has_times()) {
      workers_.front()->run_here();  // memory of the main thread is cheaper, and there are no times to keep
    } else {
      try {
        for (const auto& worker : workers_) worker->start();
      } catch (...) {  // no further thread: those that run would wait for those that do not
        shared_.abort(std::current_exception());
      }
      for (const auto& worker : workers_) worker->join();
    }
    for (std::thread& cue : cues_) cue.join();
    if (shared_.problem) std::rethrow_exception(shared_.problem);
    history.sent = shared_.sent;
    history.unbound = shared_.unbound;
    history.bindings = shared_.schedule.bindings();
    history.sender = sender();
    // Cues and steps that were never sent leave no record.
    for (std::size_t i = 0; i < plan_.steps.size(); ++i)
      history.interrupted |= shared_.carried[i] == 0 && plan_.steps[i].request.has_value();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < shared_.records.size(); ++i) {
      if (shared_.carried[i] == 0) continue;
      if (kept != i) shared_.records[kept] = std::move(shared_.records[i]);
      ++kept;
    }
    shared_.records.resize(kept);
    history.records = std::move(shared_.records);
    return history;
  }

 private:
  void divide() {
    const auto& steps = plan_.steps;
    std::map<std::int64_t, Lane*> by_number;
    shared_.lane_of.resize(steps.size());
    shared_.carried.resize(steps.size());
    if (!options_.on_record) shared_.records.resize(steps.size());
    const auto first =
        std::min_element(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.due_ns < b.due_ns; });
    shared_.first_due_ns = first == steps.end() ? 0 : first->due_ns;
    for (std::uint32_t i = 0; i < steps.size(); ++i) {
      // A cue is a lane of its own: it waits for its causes only.
      Lane* lane = nullptr;
      if (steps[i].request) lane = by_number[steps[i].lane];
      if (lane == nullptr) {
        lane = lanes_.emplace_back(std::make_unique<Lane>()).get();
        lane->destination = &destinations_[static_cast<std::size_t>(steps[i].lane) % destinations_.size()];
        if (steps[i].request) {
          by_number[steps[i].lane] = lane;
          lane->number = shared_.numbered.size();
          shared_.numbered.push_back(lane);
        }
      }
      lane->multiplexed |= steps[i].overlaps && steps[i].http2;
      lane->steps.push_back(i);
      shared_.lane_of[i] = lane;
    }
    if (!shared_.has_times()) shared_.lanes_at_once = std::max(lanes_at_once(), few_lanes);
    std::size_t count = std::clamp<std::size_t>(options_.workers, 1, std::max<std::size_t>(lanes_.size(), 1));
    if (options_.max_connections > 0) count = std::min(count, options_.max_connections);
    const std::size_t allowed = connections_allowed(count);
    const std::size_t most = options_.max_connections == 0 ? allowed : std::min(options_.max_connections, allowed);
    shared_.connections_each = std::max<std::size_t>(most / count, 1);
    shared_.run_cue = [this](Lane& lane) { run_cue(lane); };
    for (std::size_t i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(shared_));
    for (std::size_t i = 0; i < lanes_.size(); ++i) workers_[i % count]->add(*lanes_[i]);
  }

  // How many lanes were under way at once: at the busiest second of the capture, and by the order of the plan. With fewer, the first
  // lanes might wait for one that may not begin: with so many the lane of the first step that is not over always may.
  [[nodiscard]] std::size_t lanes_at_once() const {
    const auto busiest = [&](const auto& begin_of, const auto& end_of) {
      std::vector<std::int64_t> begins, ends;
      for (const Lane* lane : shared_.numbered) {
        begins.push_back(begin_of(*lane));
        ends.push_back(end_of(*lane));
      }
      std::sort(begins.begin(), begins.end());
      std::sort(ends.begin(), ends.end());
      std::size_t most = 0, over = 0;
      for (std::size_t begun = 1; begun <= begins.size(); ++begun) {
        while (ends[over] < begins[begun - 1]) ++over;
        most = std::max(most, begun - over);
      }
      return most;
    };
    const auto& steps = plan_.steps;
    const auto by_time = busiest([&](const Lane& lane) { return steps[lane.steps.front()].due_ns; },
                                 [&](const Lane& lane) { return steps[lane.steps.back()].due_ns + a_second; });
    const auto by_order = busiest([](const Lane& lane) { return std::int64_t{lane.steps.front()}; },
                                  [](const Lane& lane) { return std::int64_t{lane.steps.back()}; });
    return std::max(by_time, by_order);
  }

  // On a thread of its own: what a cue does takes its time, and requests that do not wait for it go on meanwhile.
  void run_cue(Lane& lane) {
    const std::lock_guard lock(cues_mutex_);
    cues_.emplace_back([this, &lane] {
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);  // which the worker that starts it may have blocked
      try {
        options_.on_cue(plan_.steps[lane.steps.front()]);
      } catch (...) {
        shared_.fail(std::current_exception());
        for (const auto& worker : workers_) worker->wake();
      }
      lane.worker->cue_over(lane);
    });
  }

  [[nodiscard]] Sender sender() const {
    Lateness all, lag;
    Sender sender;
    for (const auto& worker : workers_) {
      all.add(worker->lateness());
      lag.add(worker->lag());
    }
    sender.scheduling = workers_.front()->scheduling();
    sender.workers = static_cast<unsigned>(workers_.size());
    sender.late_p50_ns = all.quantile(0.5);
    sender.late_p99_ns = all.quantile(0.99);
    sender.late_max_ns = all.largest();
    if (!shared_.has_times()) return sender;
    if (sender.late_p50_ns > max_late_p50_ns)
      sender.behind = fmt::format("half of the requests left more than {:.1f} ms late",
                                  static_cast<double>(sender.late_p50_ns) / 1e6);
    else if (sender.late_p99_ns > max_late_p99_ns)
      sender.behind = fmt::format("one request in a hundred left more than {:.1f} ms late",
                                  static_cast<double>(sender.late_p99_ns) / 1e6);
    else if (lag.quantile(0.5) > max_late_p50_ns || lag.quantile(0.99) > max_late_p99_ns)
      sender.behind =
          fmt::format("answers may have waited {:.1f} ms to be read, one in a hundred {:.1f} ms",
                      static_cast<double>(lag.quantile(0.5)) / 1e6, static_cast<double>(lag.quantile(0.99)) / 1e6);
    else if (std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) {
               return worker->ended_ns() >= shortest_judged_ns && worker->busy() > max_busy;
             }))
      sender.behind = fmt::format("a worker was busy for more than {:.0f} % of the time", max_busy * 100);
    return sender;
  }

  const Plan& plan_;
  const PlayOptions& options_;
  Shared shared_;
  std::vector<Destination> destinations_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<Worker>> workers_;  // end before the lanes do
  std::mutex cues_mutex_;
  std::vector<std::thread> cues_;
};

}  // namespace

void expect_playable(const Plan& plan, const PlayOptions& options) {
  bool tls = destination_of(options.target).tls;
  for (const std::string& other : options.other_instances) tls |= destination_of(other).tls;
  if (tls) static_cast<void>(tls_context(options.tls, options.http));
  const Request with_host{"GET", "/", {{"Host", options.host}}, ""};
  if (!unsendable(with_host).empty() || options.host.find_first_of(" \t/?#@") != std::string::npos)
    throw Error("the host to name in requests is none; give a name or an address, with a port where it has one");
  for (const Step& step : plan.steps) {
    if (!step.request && !options.on_cue)
      throw Error(fmt::format("step {} of the plan is the cue {:?}, and nobody here runs cues", step.id, step.cue));
    if (!step.request.in_memory()) continue;  // in a spool nothing else stands
    if (const auto reason = unsendable(*step.request.get()); !reason.empty())
      throw Error(fmt::format("step {} holds {}: it is not sent", step.id, reason));
    if (step.request.get()->method == "CONNECT")
      throw Error(
          fmt::format("step {} is a CONNECT, behind which a connection is no HTTP any more: it is not sent", step.id));
  }
}

History play(const Plan& plan, const PlayOptions& options) {
  expect_playable(plan, options);
  return Player(plan, options).run();
}

Record send(const Request& request, PlayOptions options) {
  Step step;
  step.id = step.lane = 1;
  step.request = request;
  step.read = safe(request.method);
  Plan plan;
  plan.steps.push_back(std::move(step));
  options.name = "probe";
  return play(plan, options).records.at(0);
}

Record send(const Request& request, const std::string& target, std::chrono::milliseconds deadline) {
  PlayOptions options;
  options.target = target;
  options.connect_deadline = options.deadline = deadline;
  return send(request, std::move(options));
}

}  // namespace rehearse::replay
