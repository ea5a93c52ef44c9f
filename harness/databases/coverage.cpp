#include "harness/databases/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cctype>
#include <optional>
#include <set>

#include "harness/databases/reading.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

bool of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// The words, stars, points and everything else of a SELECT, one by one; strings and comments are left out.
struct Token {
  std::string text;
  bool name = false;  // a word or a quoted name
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> tokens() {
    std::vector<Token> found;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else if (text_.substr(at_, 2) == "--") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        skip_comment();
      } else if (const auto prefix = string_prefix()) {
        at_ += *prefix;
        const bool escapes = *prefix == 1 && (c == 'e' || c == 'E');
        static_cast<void>(quoted('\'', escapes));
        found.push_back({"''", false});
      } else if (const std::string_view tag = dollar_tag(); !tag.empty()) {
        const auto end = text_.find(tag, at_ + tag.size());
        at_ = end == std::string_view::npos ? text_.size() : end + tag.size();
        found.push_back({"''", false});
      } else if (c == '"') {
        found.push_back({quoted('"'), true});
      } else if (of_word(c)) {
        found.push_back(word());
      } else {
        found.push_back({std::string(1, c), false});
        ++at_;
      }
    }
    return found;
  }

 private:
  // Comments nest.
  void skip_comment() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_.substr(at_, 2) == "/*")
        ++depth, ++at_;
      else if (text_.substr(at_, 2) == "*/" && (++at_, --depth == 0))
        break;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  // How many characters stand before the mark of a string: E'...', B'...', U&'...'; nothing where none begins.
  [[nodiscard]] std::optional<std::size_t> string_prefix() const {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with('\'')) return 0;
    if (rest.size() > 1 && rest[1] == '\'' && std::string_view("eEbBxXnN").find(rest[0]) != std::string_view::npos)
      return 1;
    if (rest.size() > 2 && (rest[0] == 'u' || rest[0] == 'U') && rest.substr(1, 2) == "&'") return 2;
    return std::nullopt;
  }

  // The $tag$ that begins a string here; empty where none does.
  [[nodiscard]] std::string_view dollar_tag() const {
    if (text_[at_] != '$') return {};
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != '$' && of_word(text_[end])) ++end;
    return end < text_.size() && text_[end] == '$' ? text_.substr(at_, end + 1 - at_) : std::string_view();
  }

  std::string quoted(char quote, bool escapes = false) {
    std::string text;
    for (++at_; at_ < text_.size(); ++at_) {
      if (escapes && text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] != quote) {
        text += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        text += text_[++at_];
      } else {
        break;
      }
    }
    ++at_;
    return text;
  }

  Token word() {
    std::string text;
    for (; at_ < text_.size() && of_word(text_[at_]); ++at_)
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(text_[at_])));
    return {text, std::isdigit(static_cast<unsigned char>(text.front())) == 0};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

struct ReadTable {
  std::string name, alias, schema;
};

void add_tables_of(const json::value& node, std::vector<ReadTable>& tables) {
  if (const auto* array = node.if_array()) {
    for (const auto& item : *array) add_tables_of(item, tables);
  } else if (const auto* object = node.if_object()) {
    const auto* relation = object->if_contains("Relation Name");
    const auto* alias = object->if_contains("Alias");
    if (relation != nullptr && alias != nullptr)
      tables.push_back({std::string(relation->as_string()), std::string(alias->as_string()),
                        std::string(object->at("Schema").as_string())});
    for (const auto& member : *object) add_tables_of(member.value(), tables);
  }
}

// The planner tells aliases of one name apart by a number: c, c_1.
bool is_alias(const std::string& alias, const std::string& qualifier) {
  if (alias == qualifier) return true;
  if (alias.rfind(qualifier + "_", 0) != 0) return false;
  return alias.find_first_not_of("0123456789", qualifier.size() + 1) == std::string::npos;
}

using Columns = std::map<std::string, std::set<std::string>>;  // table → columns

// The tables of the database with their columns but the generated ones; partitions stand for the table that they are parts of.
Columns all_columns(Session& session) {
  Columns columns;
  for (const Row& row :
       session
           .run("SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN "
                "pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
                "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%' "
                "AND n.nspname <> 'information_schema' ORDER BY 1")
           .rows) {
    auto& names = columns[row[0].value_or("")];
    if (row[1]) names.insert(*row[1]);
  }
  return columns;
}

// Partition → the table that it is a part of.
std::map<std::string, std::string> partitions(Session& session) {
  std::map<std::string, std::string> roots;
  for (const Row& row :
       session
           .run("SELECT c.relname, (SELECT r.relname FROM pg_class r WHERE r.oid = "
                "pg_partition_root(c.oid)) FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p')")
           .rows)
    roots[row[0].value_or("")] = row[1].value_or("");
  return roots;
}

// What a view's own definition names.
std::string definition_of_view(const std::string& name, Session& session) {
  return session.value(fmt::format(
      "SELECT pg_get_viewdef(oid) FROM pg_class WHERE oid = {}::regclass AND relkind IN ('v')", session.quoted(name)));
}

class Reader {
 public:
  Reader(bool legacy_schema, Session& session)
      : legacy_schema_(legacy_schema), session_(session), all_(all_columns(session)), roots_(partitions(session)) {}

  void read(const Entity& entity) {
    const std::string& source = legacy_schema_ ? entity.legacy : entity.new_;
    if (!is_table_name(source)) return read_select(source);
    if (const std::string view = definition_of_view(source, session_); !view.empty()) return read_select(view);
    const std::string table =
        session_.value(fmt::format("SELECT relname FROM pg_class WHERE oid = {}::regclass", session_.quoted(source)));
    for (const std::string& column : all_[table]) read_[table].insert(column);
    seen_.insert(table);
  }

  [[nodiscard]] Coverage coverage(const Ignored& tables, const Ignored& columns) const {
    Coverage coverage;
    for (const auto& [table, names] : all_) {
      if (tables.contains(table)) continue;
      if (!seen_.contains(table)) {
        coverage.unread_tables.push_back(table);
        continue;
      }
      const auto read = read_.find(table);
      for (const std::string& name : names) {
        if (columns.contains(table + "." + name)) {
          ++coverage.ignored;
        } else if (read != read_.end() && read->second.contains(name)) {
          ++coverage.columns;
        } else {
          coverage.unread_columns.push_back(table + "." + name);
        }
      }
    }
    return coverage;
  }

 private:
  void read_select(const std::string& select) {
    const Rows plan = session_.run("EXPLAIN (VERBOSE, FORMAT JSON) " + select);
    std::vector<ReadTable> tables;
    add_tables_of(json::parse(plan.rows.at(0).at(0).value_or("")), tables);
    const auto words = column_words(select);
    for (ReadTable& table : tables) {
      if (const auto root = roots_.find(table.name); root != roots_.end()) table.name = root->second;
      seen_.insert(table.name);
      for (const ColumnWord& word : words) {
        // Within a view the planner knows the aliases of the view, and the view's words were read with the SELECT's.
        if (!word.qualifier.empty() && !is_alias(table.alias, word.qualifier)) continue;
        if (word.name == "*") {
          read_[table.name] = all_[table.name];
        } else if (all_[table.name].contains(word.name)) {
          read_[table.name].insert(word.name);
        }
      }
    }
    read_views_of(select);
  }

  // Views that stand behind FROM or JOIN: what they read is read.
  void read_views_of(const std::string& select) {
    const auto tokens = Lexer(select).tokens();
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if (!tokens[i].name ||
          (tokens[i - 1].text != "from" && tokens[i - 1].text != "join" && tokens[i - 1].text != ","))
        continue;
      const std::string known =
          session_.value(fmt::format("SELECT count(*) FROM pg_class WHERE oid = to_regclass({}) AND relkind = 'v'",
                                     session_.quoted(quoted_identifier(tokens[i].text))));
      if (known == "1" && views_.insert(tokens[i].text).second)
        read_select(definition_of_view(quoted_identifier(tokens[i].text), session_));
    }
  }

  bool legacy_schema_;
  Session& session_;
  Columns all_, read_;
  std::map<std::string, std::string> roots_;
  std::set<std::string> seen_, views_;
};

}  // namespace

std::vector<ColumnWord> column_words(const std::string& select) {
  const std::vector<Token> tokens = Lexer(select).tokens();
  const auto text = [&](std::size_t i) { return i < tokens.size() ? tokens[i].text : std::string(); };
  std::vector<ColumnWord> words;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool behind_point = i > 1 && text(i - 1) == "." && tokens[i - 2].name;
    if (text(i) == "*" && !tokens[i].name) {
      // Behind a select, a comma or a point it stands for columns; else it multiplies, or counts rows.
      const std::string before = i > 0 ? text(i - 1) : "";
      if (behind_point) {
        words.push_back({tokens[i - 2].text, "*"});
      } else if (before == "select" || before == "," || before == "distinct" || before == "all") {
        words.push_back({"", "*"});
      }
      continue;
    }
    if (!tokens[i].name || text(i) == "as") continue;
    const bool alias = i > 0 && text(i - 1) == "as" && tokens[i - 1].name;
    const bool function = text(i + 1) == "(", qualifier = text(i + 1) == ".";
    const bool type = i > 1 && text(i - 1) == ":" && text(i - 2) == ":";
    if (alias || function || qualifier || type) continue;
    words.push_back({behind_point ? tokens[i - 2].text : "", tokens[i].text});
  }
  return words;
}

bool tables_hold_rows(const std::string& source, Session& session) {
  if (is_table_name(source)) return false;  // read whole: that it gave no rows is what it holds
  const Rows plan = session.run("EXPLAIN (VERBOSE, FORMAT JSON) " + source);
  std::vector<ReadTable> tables;
  add_tables_of(json::parse(plan.rows.at(0).at(0).value_or("")), tables);
  return std::any_of(tables.begin(), tables.end(), [&](const ReadTable& table) {
    return session.value(fmt::format("SELECT EXISTS (SELECT FROM {}.{})", session.quoted_name(table.schema),
                                     session.quoted_name(table.name))) == "t";
  });
}

std::string said_of(const Coverage& legacy, const Coverage& new_) {
  const auto listed = [](const std::vector<std::string>& names) {
    return names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "));
  };
  std::string text;
  if (!legacy.unread_tables.empty() || !new_.unread_tables.empty())
    text = fmt::format(
        "tables that no entity reads (legacy: {}; new: {}); map them, or name them in ignored_tables with a reason",
        listed(legacy.unread_tables), listed(new_.unread_tables));
  if (!legacy.unread_columns.empty() || !new_.unread_columns.empty())
    text += fmt::format(
        "{}columns that no entity reads (legacy: {}; new: {}); map them, or name them in ignored_columns with "
        "a reason",
        text.empty() ? "" : "; ", listed(legacy.unread_columns), listed(new_.unread_columns));
  return text;
}

Coverage coverage_of(const std::vector<Entity>& entities, bool legacy_schema, const Ignored& tables,
                     const Ignored& columns, Session& session) {
  Reader reader(legacy_schema, session);
  for (const Entity& entity : entities) reader.read(entity);
  return reader.coverage(tables, columns);
}

}  // namespace rehearse::harness
