#include <algorithm>
#include <array>
#include <cctype>

#include "harness/wires/framing.h"

namespace rehearse::harness {
namespace {

// Statements that a connection may have prepared; more are forgotten, and then met by their values alone.
constexpr std::size_t max_prepared = 2'000;
constexpr std::size_t max_prepared_bytes = 64u << 10;
constexpr std::size_t words_shown = 48;
constexpr std::uint32_t max_startup_bytes = 10'000;  // of the server, too

constexpr std::uint32_t ssl_request = 80877103, gss_request = 80877104, cancel_request = 80877102;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string message_of(char type, std::string_view body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  std::string message(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) message.push_back(static_cast<char>(length >> shift & 0xff));
  return message.append(body);
}

// The text up to the next zero byte, which is taken off too.
std::string_view take_text(std::string_view& bytes) {
  const auto end = std::min(bytes.find('\0'), bytes.size());
  const auto text = bytes.substr(0, end);
  bytes.remove_prefix(std::min(end + 1, bytes.size()));
  return text;
}

std::string first_word(std::string_view sql) {
  const auto begin = std::min(sql.find_first_not_of(" \t\r\n("), sql.size());
  std::string word;
  for (const char c : sql.substr(begin)) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return word;
}

bool holds_word(std::string_view sql, std::string_view word) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  return std::search(sql.begin(), sql.end(), word.begin(), word.end(), same) != sql.end();
}

// By the first words of each statement; a semicolon in a literal makes at worst a statement too many.
bool writes(std::string_view sql) {
  constexpr std::array<std::string_view, 4> verbs{"INSERT", "UPDATE", "DELETE", "MERGE"};
  while (!sql.empty()) {
    const auto end = std::min(sql.find(';'), sql.size());
    const auto one = sql.substr(0, end);
    const auto word = first_word(one);
    if (std::find(verbs.begin(), verbs.end(), word) != verbs.end() || word == "TRUNCATE") return true;
    if (word == "WITH" && std::any_of(verbs.begin(), verbs.end(), [&](auto verb) { return holds_word(one, verb); }))
      return true;
    if (word == "COPY" && holds_word(one, " FROM ")) return true;
    sql.remove_prefix(std::min(end + 1, sql.size()));
  }
  return false;
}

class PostgresSent : public SentFraming {
 public:
  void take(std::string_view bytes, std::vector<Sent>& out) override {
    begun_ += bytes;
    while (!begun_.empty() && take_one(out)) {
    }
  }

 private:
  bool take_one(std::vector<Sent>& out) {
    if (uncut_) return pass(begun_.size(), out);
    if (passing_ > 0) {
      const auto now = std::min<std::uint64_t>(passing_, begun_.size());
      passing_ -= now;
      return pass(static_cast<std::size_t>(now), out);
    }
    return starting_ ? take_startup(out) : take_message(out);
  }

  bool take_startup(std::vector<Sent>& out) {
    if (begun_.size() < 8) return false;
    const auto length = number_at(begun_, 0), code = number_at(begun_, 4);
    if (length < 8 || length > max_startup_bytes) return not_understood();
    if (begun_.size() < length) return false;
    Sent sent;
    if (code == ssl_request || code == gss_request) {
      sent.kind = Sent::Kind::encryption_request;
    } else if (code == cancel_request) {
      uncut_ = true;
    } else {
      sent.kind = Sent::Kind::opening;
      starting_ = false;
    }
    sent.bytes = begun_.substr(0, length);
    begun_.erase(0, length);
    out.push_back(std::move(sent));
    return true;
  }

  bool take_message(std::vector<Sent>& out) {
    if (begun_.size() < 5) return false;
    const std::uint64_t length = std::uint64_t{number_at(begun_, 1)} + 1;
    if (length < 5) return not_understood();
    if (length > max_framed_bytes) {
      if (begun_[0] == 'Q' || begun_[0] == 'B' || begun_[0] == 'P') whole_ = false;
      passing_ = length;
      return true;
    }
    if (begun_.size() < length) return false;
    const auto size = static_cast<std::size_t>(length);
    std::string_view body = std::string_view(begun_).substr(5, size - 5);
    Sent sent;
    switch (begun_[0]) {
      case 'Q':
        sent.kind = Sent::Kind::statement;
        sent.text = take_text(body);
        describe(sent, sent.text);
        break;
      case 'P': {
        const std::string name(take_text(body));
        const auto sql = take_text(body);
        if (prepared_.size() < max_prepared || prepared_.contains(name))
          prepared_[name] = sql.substr(0, max_prepared_bytes);
        return pass(size, out);
      }
      case 'B': {
        take_text(body);
        const auto found = prepared_.find(std::string(take_text(body)));
        const std::string sql = found == prepared_.end() ? "" : found->second;
        sent.kind = Sent::Kind::bound_statement;
        sent.text = sql + std::string(1, '\0') + std::string(body);
        describe(sent, sql);
        break;
      }
      case 'C':
        if (body.starts_with('S')) {
          body.remove_prefix(1);
          prepared_.erase(std::string(take_text(body)));
        }
        return pass(size, out);
      default:
        return pass(size, out);
    }
    sent.bytes = begun_.substr(0, size);
    begun_.erase(0, size);
    out.push_back(std::move(sent));
    return true;
  }

  static void describe(Sent& sent, std::string_view sql) {
    const auto word = first_word(sql);
    sent.commit = word == "COMMIT" || word == "END";
    sent.write = writes(sql);
    sent.words = sql.substr(0, words_shown);
  }

  bool pass(std::size_t count, std::vector<Sent>& out) {
    if (out.empty() || out.back().kind != Sent::Kind::other) out.emplace_back();
    out.back().bytes.append(begun_, 0, count);
    begun_.erase(0, count);
    return true;
  }
  bool not_understood() {
    uncut_ = true;
    whole_ = false;
    return true;
  }

  std::string begun_;
  std::map<std::string, std::string> prepared_;  // name → SQL
  std::uint64_t passing_ = 0;
  bool starting_ = true, uncut_ = false;
};

}  // namespace

std::unique_ptr<SentFraming> postgres_framing() { return std::make_unique<PostgresSent>(); }

bool Answered::changed_rows() const {
  for (const std::string_view verb : {"INSERT ", "UPDATE ", "DELETE ", "MERGE ", "COPY "})
    if (tag.starts_with(verb) && !tag.ends_with(" 0")) return true;
  return false;
}

void PostgresAnswers::take(std::string_view bytes, std::vector<Answered>& out) {
  const auto pass = [&](std::string_view piece) {
    if (out.empty() || out.back().kind != Answered::Kind::other) out.emplace_back();
    out.back().bytes += piece;
  };
  begun_ += bytes;
  std::string_view left = begun_;
  while (!left.empty()) {
    if (passing_ > 0) {
      const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(passing_, left.size()));
      passing_ -= now;
      pass(left.substr(0, now));
      left.remove_prefix(now);
      continue;
    }
    if (left.size() < 5) break;
    const char type = left[0];
    const std::uint64_t length = std::uint64_t{number_at(left, 1)} + 1;
    if ((type != 'C' && type != 'Z' && type != 'E') || length > max_framed_bytes || length < 5) {
      passing_ = std::max<std::uint64_t>(length, 5);
      continue;
    }
    if (left.size() < length) break;
    const auto size = static_cast<std::size_t>(length);
    Answered answered;
    answered.bytes = left.substr(0, size);
    std::string_view body = left.substr(5, size - 5);
    if (type == 'C') {
      answered.kind = Answered::Kind::complete;
      answered.tag = take_text(body);
    } else if (type == 'Z') {
      answered.kind = Answered::Kind::ready;
      answered.status = body.empty() ? 'I' : body.front();
    } else {
      answered.kind = Answered::Kind::error;
    }
    out.push_back(std::move(answered));
    left.remove_prefix(size);
  }
  begun_.erase(0, begun_.size() - left.size());
}

std::string error_response(std::string_view sqlstate, bool fatal) {
  std::string body;
  const auto field = [&](char name, std::string_view text) { body.append(1, name).append(text).append(1, '\0'); };
  const std::string_view severity = fatal ? "FATAL" : "ERROR";
  field('S', severity);
  field('V', severity);
  field('C', sqlstate);
  field('M', "made to fail on purpose by a rehearsal");
  body.push_back('\0');
  return message_of('E', body);
}

std::string refused_in_place_of(const Sent& statement) {
  if (statement.kind == Sent::Kind::statement) {
    // A commit that fails ends its transaction.
    std::string sql(statement.commit ? std::string_view("ROLLBACK") : refused_statement);
    sql.push_back('\0');
    return message_of('Q', sql);
  }
  std::string body(1, '\0');  // the unnamed portal
  body.append(refused_statement).append(1, '\0');
  body.append(6, '\0');  // no formats, no values, no formats of results
  return message_of('B', body);
}

}  // namespace rehearse::harness
