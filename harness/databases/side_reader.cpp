#include "harness/databases/side_reader.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "harness/databases/server_cost.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

// 64 MB of a table: a second or so, so that a snapshot ends in time and the connections end together.
constexpr std::int64_t blocks_a_part = 8'192;

}  // namespace

SideReader::SideReader(const Side& side, std::size_t connections, std::chrono::milliseconds snapshot_limit, Now now)
    : side_(side), limit_(snapshot_limit), now_(std::move(now)) {
  for (std::size_t i = 0; i < connections; ++i) sessions_.emplace_back(side.dsn, "the " + side.label);
  take_snapshot();
}

void SideReader::restart() {
  for (BulkSession& session : sessions_) session = BulkSession(side_.dsn, "the " + side_.label);
  take_snapshot();
}

std::optional<double> SideReader::server_seconds() const {
  double sum = 0;
  for (const BulkSession& session : sessions_) {
    const auto seconds = cpu_seconds_of_backend(session.process_id());
    if (!seconds) return std::nullopt;
    sum += *seconds;
  }
  return sum;
}

void SideReader::take_snapshot() {
  leader().begin();
  if (sessions_.size() > 1) {
    const std::string snapshot = leader().export_snapshot();
    for (std::size_t i = 1; i < sessions_.size(); ++i) sessions_[i].begin(snapshot);
  }
  taken_ = now_();
  holds_ = true;
  counted_ = false;
}

void SideReader::release() {
  for (BulkSession& session : sessions_) session.end();
}

// Half of the bound is left for what is under way and for the rows that differ.
bool SideReader::old() const { return now_() - taken_ > limit_ / 2; }

void SideReader::renew() {
  let_go();
  take_snapshot();
}

void SideReader::let_go() {
  if (std::exchange(holds_, false)) release();
}

void SideReader::renew_when_old() {
  if (!holds_ || old()) renew();
}

// Half-open and disjoint, the last one without an end: a row is in exactly one of them, also one behind the end that the table
// had when it was measured.
std::vector<SideReader::Part> SideReader::parts_of(const Reading& reading) {
  std::vector<Part> parts;
  if (reading.table.empty()) return {Part{}};
  for (std::int64_t begin = 0; begin + blocks_a_part < reading.blocks; begin += blocks_a_part)
    parts.push_back({begin, begin + blocks_a_part});
  parts.push_back({parts.empty() ? 0 : parts.back().end, -1});
  return parts;
}

void SideReader::read(const Reading& reading, const OnRow& on_row, const std::atomic<bool>* stop,
                      const std::atomic<bool>& halt, Begins begins) {
  const std::vector<Part> parts = parts_of(reading);
  std::atomic<std::size_t> next{0};
  if (begins == Begins::anew) {
    snapshots_ = 0;
    counted_ = false;
  }
  while (next < parts.size()) {
    renew_when_old();
    if (!std::exchange(counted_, true) && snapshots_++ == 0)
      first_xmin_ = leader().value("SELECT pg_snapshot_xmin(pg_current_snapshot())");
    std::exception_ptr problem;
    std::mutex guard;
    std::atomic<bool> failed{false};
    const auto work = [&](std::size_t index) {
      try {
        const BulkSession::Limits limits{stop, &halt, taken_ + limit_};
        while (!failed && (!old() || next == 0)) {
          const std::size_t mine = next++;
          if (mine >= parts.size()) return;
          sessions_[index].copy(
              reading.part(parts[mine].begin, parts[mine].end), reading.columns.size(),
              [&](const BinaryRow& row) { on_row(index, row); }, limits);
        }
      } catch (...) {
        const std::lock_guard lock(guard);
        if (!problem) problem = std::current_exception();
        failed = true;
      }
    };
    std::vector<std::thread> others;
    // More threads than parts would only wait.
    for (std::size_t i = 1; i < std::min(sessions_.size(), parts.size()); ++i) others.emplace_back(work, i);
    work(0);
    for (std::thread& thread : others) thread.join();
    if (problem) std::rethrow_exception(problem);
  }
}

}  // namespace rehearse::harness
