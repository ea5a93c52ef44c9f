#include "harness/latency/saturation.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

#include "properties/latency/judge_latency.h"
#include "replay/pace.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

constexpr std::int64_t longest_ns = 1'000'000'000;
constexpr double times_the_limit = 4;

struct Asked {
  const SampleKind& kind;
  const PairRunOptions& options;
  std::size_t lanes = 1;  // at once; one an instance at least
  std::size_t requests = 0;
  int round = 0;  // each play has its own keys
};

replay::Plan plan_of(const Asked& asked) {
  replay::Plan plan;
  std::vector<const Sample*> alone;
  for (const Sample& sample : asked.kind.samples) {
    if (sample.measured && sample.step.uses.empty()) alone.push_back(&sample);
  }
  if (alone.empty()) return plan;
  for (std::size_t i = 0; i < asked.requests; ++i) {
    const Sample& sample = *alone[i % alone.size()];
    replay::Step& step = plan.steps.emplace_back();
    step.id = static_cast<replay::StepId>(i) + 1;
    step.lane = static_cast<std::int64_t>(i % asked.lanes);
    step.read = sample.step.read;
    step.request = sample.step.request;
    if (!step.read) {
      replay::Request renewed = *sample.step.request.get();
      replay::renew(renewed, asked.round * 1000 + static_cast<int>(i / alone.size()) + 2);
      step.request = std::move(renewed);
    }
  }
  return plan;
}

double answered_a_second(const Asked& asked, const std::vector<std::string>& urls, const TargetSettings& settings) {
  const replay::Plan plan = plan_of(asked);
  if (plan.steps.empty()) return 0;
  const Target target(settings, plan, asked.options.stop);
  replay::PlayOptions options;
  target.apply(options);
  options.name = "saturation";
  options.target = urls.front();
  options.other_instances.assign(urls.begin() + 1, urls.end());
  options.connect_deadline = options.deadline = asked.options.deadline;
  options.stop = asked.options.stop;
  std::int64_t answered = 0, ended_ns = 1;
  options.enough = [&](const replay::Record& record) {
    ended_ns = std::max(ended_ns, record.done_ns);
    answered += record.outcome == replay::Outcome::answered && record.response.status < 400;
    return record.done_ns >= longest_ns;
  };
  options.on_record = [](replay::Record&&) {};
  static_cast<void>(replay::play(plan, options));
  return static_cast<double>(answered) * 1e9 / static_cast<double>(ended_ns);
}

}  // namespace

std::vector<properties::SaturationBlock> measure_saturation(const SampleKind& kind, double at_least,
                                                            const PairedServices& services,
                                                            const PairRunOptions& options) {
  std::vector<properties::SaturationBlock> blocks;
  std::mt19937_64 random(options.seed);
  const auto began = std::chrono::steady_clock::now();
  const std::size_t lanes = std::max({options.connections, services.legacy.size(), services.new_.size()});
  Asked asked{kind, options, lanes, 0, 0};
  asked.requests =
      std::max(4 * lanes, static_cast<std::size_t>(times_the_limit * at_least * static_cast<double>(longest_ns) / 1e9));
  for (int i = 0; i < options.saturation_blocks; ++i) {
    if (options.stop != nullptr && options.stop->load()) break;
    properties::SaturationBlock& block = blocks.emplace_back();
    block.route = kind.route;
    block.at_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - began).count();
    ++asked.round;
    std::array sides{false, true};
    if (std::bernoulli_distribution(0.5)(random) != options.turned_round) std::swap(sides[0], sides[1]);
    for (const bool new_ : sides) {
      (new_ ? block.new_per_second : block.legacy_per_second) =
          new_ ? answered_a_second(asked, services.new_, services.new_target)
               : answered_a_second(asked, services.legacy, services.legacy_target);
    }
    if (options.on_progress)
      options.on_progress(static_cast<std::size_t>(i) + 1, static_cast<std::size_t>(options.saturation_blocks));
  }
  return blocks;
}

}  // namespace rehearse::harness
