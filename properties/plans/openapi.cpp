#include "properties/plans/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <set>
#include <utility>

#include "replay/error.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 7> methods{"get", "head", "post", "put", "patch", "delete", "options"};
// A schema that holds itself ends somewhere.
constexpr int max_depth = 6;

const json::value* member(const json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains(name) : nullptr;
}
std::string text_of(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

class Document {
 public:
  explicit Document(const std::string& text) {
    boost::system::error_code error;
    root_ = json::parse(text, error);
    if (error || !root_.is_object() || !text_of(member(root_, "openapi")).starts_with("3.") ||
        member(root_, "paths") == nullptr)
      throw Error("the document is not OpenAPI 3: it takes a JSON or YAML object with openapi: 3.x and paths");
  }

  // What stands at the end of references within the document; the value itself where there is none, null where it leads nowhere.
  [[nodiscard]] const json::value& resolved(const json::value& value) const {
    const json::value* now = &value;
    for (int hops = 0; hops < max_depth; ++hops) {
      const std::string reference = text_of(member(*now, "$ref"));
      if (reference.empty()) return *now;
      boost::system::error_code error;
      const json::value* next = reference.starts_with("#/") ? root_.find_pointer(reference.substr(1), error) : nullptr;
      if (next == nullptr) return nothing_;
      now = next;
    }
    return nothing_;
  }

  // A value of the schema: what it gives as example, or the plainest that it allows; all members or the required ones alone.
  [[nodiscard]] json::value sample(const json::value& schema_or_reference, bool all, int depth = 0) const {
    const json::value& schema = resolved(schema_or_reference);
    for (const char* name : {"example", "default", "const"})
      if (const auto* value = member(schema, name)) return *value;
    if (const auto* values = member(schema, "enum");
        values != nullptr && values->is_array() && !values->get_array().empty())
      return values->get_array().front();
    if (depth > max_depth) return nullptr;
    for (const char* name : {"oneOf", "anyOf"})
      if (const auto* choices = member(schema, name);
          choices != nullptr && choices->is_array() && !choices->get_array().empty())
        return sample(choices->get_array().front(), all, depth + 1);
    if (const auto* parts = member(schema, "allOf"); parts != nullptr && parts->is_array()) {
      json::object joined;
      for (const auto& part : parts->get_array()) {
        auto value = sample(part, all, depth + 1);
        if (!value.is_object()) return value;
        for (auto& item : value.get_object()) joined.insert_or_assign(item.key(), std::move(item.value()));
      }
      return joined;
    }
    const std::string type = type_of(schema);
    if (type == "object" || member(schema, "properties") != nullptr) return object_of(schema, all, depth);
    if (type == "array") {
      json::array array;
      if (const auto* items = member(schema, "items")) array.push_back(sample(*items, all, depth + 1));
      return array;
    }
    if (type == "integer" || type == "number") {
      const auto* least = member(schema, "minimum");
      if (least != nullptr && least->is_number()) return *least;
      return 1;
    }
    if (type == "boolean") return true;
    return text_sample(schema);
  }

  [[nodiscard]] const json::value& root() const { return root_; }

 private:
  // "string", or of ["string", "null"] (3.1) the first that is not null.
  static std::string type_of(const json::value& schema) {
    const auto* type = member(schema, "type");
    if (type != nullptr && type->is_array())
      for (const auto& one : type->get_array())
        if (one != "null") return text_of(&one);
    return text_of(type);
  }

  [[nodiscard]] json::value object_of(const json::value& schema, bool all, int depth) const {
    json::object object;
    std::set<std::string> required;
    if (const auto* names = member(schema, "required"); names != nullptr && names->is_array())
      for (const auto& name : names->get_array()) required.insert(text_of(&name));
    if (const auto* properties = member(schema, "properties"); properties != nullptr && properties->is_object()) {
      for (const auto& property : properties->get_object()) {
        const auto* read_only = member(resolved(property.value()), "readOnly");
        if (read_only != nullptr && *read_only == true) continue;
        if (all || required.contains(std::string(property.key())))
          object[property.key()] = sample(property.value(), all, depth + 1);
      }
    }
    return object;
  }

  static json::value text_sample(const json::value& schema) {
    const std::string format = text_of(member(schema, "format"));
    if (format == "date-time") return "2024-01-01T00:00:00Z";
    if (format == "date") return "2024-01-01";
    if (format == "uuid") return "00000000-0000-4000-8000-000000000001";
    if (format == "email") return "somebody1@example.com";
    if (format == "uri") return "https://example.com/1";
    std::string text = "text 1";
    if (const auto* least = member(schema, "minLength");
        least != nullptr && least->is_int64() && least->get_int64() < 10'000)
      while (static_cast<std::int64_t>(text.size()) < least->get_int64()) text += "x";
    if (const auto* most = member(schema, "maxLength"); most != nullptr && most->is_int64() && most->get_int64() >= 0)
      text.resize(std::min<std::size_t>(text.size(), static_cast<std::size_t>(most->get_int64())));
    return json::string(text);
  }

  json::value root_, nothing_;
};

class Reader {
 public:
  Reader(const std::string& text, const std::function<bool(std::string_view, std::string_view)>& is_read)
      : document_(text), is_read_(is_read) {}

  Catalogue read() {
    const auto& paths = document_.root().at("paths");
    if (!paths.is_object()) throw Error("the document's paths are no object");
    for (const auto& path : paths.get_object()) {
      const json::value& item = document_.resolved(path.value());
      for (const std::string_view method : methods)
        if (const auto* operation = member(item, method)) add(std::string(path.key()), item, method, *operation);
    }
    std::sort(catalogue_.operations.begin(), catalogue_.operations.end(),
              [](const Operation& a, const Operation& b) { return a.name < b.name; });
    return std::move(catalogue_);
  }

 private:
  void add(const std::string& path, const json::value& item, std::string_view method, const json::value& described) {
    Operation operation;
    std::string upper(method);
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    std::string route = path;
    for (auto open = route.find('{'); open != std::string::npos; open = route.find('{', open + 2)) {
      const auto close = std::min(route.find('}', open), route.size() - 1);
      route.replace(open, close - open + 1, "{}");
    }
    operation.name = upper + " " + route;
    operation.read = is_read_(upper, path);
    operation.accepted = true;
    for (const bool all : {false, true}) {
      replay::Request request{upper, path, {{"Host", "service"}}, {}, {}};
      std::string query;
      for (const json::value* owner : {&item, &described}) {
        const auto* parameters = member(*owner, "parameters");
        if (parameters == nullptr || !parameters->is_array()) continue;
        for (const auto& one : parameters->get_array()) put_parameter(document_.resolved(one), all, request, query);
      }
      if (!query.empty()) request.target += "?" + query;
      put_body(described, all, request);
      auto slots = slots_of(request);
      const bool new_one = std::none_of(operation.samples.begin(), operation.samples.end(),
                                        [&](const auto& sample) { return *sample.request == request; });
      if (!new_one) continue;
      for (const Slot& slot : slots) note(slot, request);
      operation.samples.push_back({std::make_shared<const replay::Request>(std::move(request)), std::move(slots)});
    }
    if (!operation.read) add_made(path, described, operation);
    catalogue_.operations.push_back(std::move(operation));
  }

  void put_parameter(const json::value& parameter, bool all, replay::Request& request, std::string& query) const {
    const std::string name = text_of(member(parameter, "name")), in = text_of(member(parameter, "in"));
    const auto* schema = member(parameter, "schema");
    const auto* example = member(parameter, "example");
    const auto* required = member(parameter, "required");
    const json::value value = example != nullptr  ? *example
                              : schema != nullptr ? document_.sample(*schema, all)
                                                  : json::value("1");
    const std::string text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    if (in == "path") {
      const std::string mark = "{" + name + "}";
      // What has no digit in it would be taken for a word of the route.
      const std::string segment = replay::identifies_in_path(text) ? text : text + "-00001";
      if (const auto at = request.target.find(mark); at != std::string::npos)
        request.target.replace(at, mark.size(), percent_encoded(segment));
    } else if (in == "query" && (all || (required != nullptr && *required == true))) {
      query += (query.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(text);
    } else if (in == "header" && (all || (required != nullptr && *required == true)) && name != "Authorization") {
      request.headers.push_back({name, text});
    }
  }

  void put_body(const json::value& described, bool all, replay::Request& request) const {
    const auto* body = member(described, "requestBody");
    if (body == nullptr) return;
    const auto* content = member(document_.resolved(*body), "content");
    if (content == nullptr || !content->is_object()) return;
    for (const auto& media : content->get_object()) {
      const auto* schema = member(media.value(), "schema");
      if (schema == nullptr || std::string_view(media.key()).find("json") == std::string_view::npos) continue;
      const auto* example = member(media.value(), "example");
      request.headers.push_back({"Content-Type", std::string(media.key())});
      request.body = json::serialize(example != nullptr && all ? *example : document_.sample(*schema, all));
      return;
    }
  }

  // What answers give: by the links of the document, or a member of the answer to what creates that is named as an id.
  void add_made(const std::string& path, const json::value& described, Operation& operation) const {
    const auto* responses = member(described, "responses");
    if (responses == nullptr || !responses->is_object()) return;
    const Sort created = replay::entity_name(replay::collection_of(path.substr(0, path.find('{'))));
    for (const auto& response : responses->get_object()) {
      if (!std::string_view(response.key()).starts_with('2')) continue;
      const json::value& answer = document_.resolved(response.value());
      if (const auto* links = member(answer, "links"); links != nullptr && links->is_object()) {
        for (const auto& link : links->get_object()) {
          const auto* parameters = member(document_.resolved(link.value()), "parameters");
          if (parameters == nullptr || !parameters->is_object()) continue;
          for (const auto& parameter : parameters->get_object()) {
            const std::string expression = text_of(&parameter.value());
            constexpr std::string_view body = "$response.body#";
            if (!expression.starts_with(body)) continue;
            const std::string entity = replay::entity_name(parameter.key());
            operation.makes["json:" + expression.substr(body.size())] = entity.empty() ? created : entity;
          }
        }
      }
      if (!operation.makes.empty() || !operation.name.starts_with("POST") || created.empty()) continue;
      const auto* content = member(answer, "content");
      if (content == nullptr || !content->is_object()) continue;
      for (const auto& media : content->get_object()) {
        const auto* schema = member(media.value(), "schema");
        if (schema == nullptr) continue;
        if (has_id(*schema, 0)) operation.makes["json:/id"] = created;
      }
    }
  }

  [[nodiscard]] bool has_id(const json::value& schema_or_reference, int depth) const {
    const json::value& schema = document_.resolved(schema_or_reference);
    if (const auto* properties = member(schema, "properties");
        properties != nullptr && member(*properties, "id") != nullptr)
      return true;
    const auto* parts = member(schema, "allOf");
    return depth < max_depth && parts != nullptr && parts->is_array() &&
           std::any_of(parts->get_array().begin(), parts->get_array().end(),
                       [&](const json::value& part) { return has_id(part, depth + 1); });
  }

  void note(const Slot& slot, const replay::Request& request) {
    Values& values = catalogue_.values[slot.sort];
    ++values.times;
    values.reference |= slot.at.starts_with("path:");
    const auto text = replay::value_at(request, slot.at);
    if (text && std::find(values.seen.begin(), values.seen.end(), *text) == values.seen.end())
      values.seen.push_back(*text);
  }

  Document document_;
  const std::function<bool(std::string_view, std::string_view)>& is_read_;
  Catalogue catalogue_;
};

}  // namespace

Catalogue operations_in_openapi(const std::string& document,
                                const std::function<bool(std::string_view method, std::string_view path)>& is_read) {
  return Reader(document, is_read).read();
}

Catalogue joined(Catalogue captured, const Catalogue& described) {
  for (const Operation& operation : described.operations) {
    const auto known = std::find_if(captured.operations.begin(), captured.operations.end(),
                                    [&](const Operation& other) { return other.name == operation.name; });
    if (known == captured.operations.end()) {
      captured.operations.push_back(operation);
      continue;
    }
    known->samples.insert(known->samples.end(), operation.samples.begin(), operation.samples.end());
    known->makes.insert(operation.makes.begin(), operation.makes.end());
  }
  std::sort(captured.operations.begin(), captured.operations.end(),
            [](const Operation& a, const Operation& b) { return a.name < b.name; });
  for (const auto& [sort, values] : described.values) {
    auto& known = captured.values[sort];
    known.reference |= values.reference;
    for (const std::string& text : values.seen)
      if (std::find(known.seen.begin(), known.seen.end(), text) == known.seen.end()) known.seen.push_back(text);
    known.times += values.times;
  }
  return captured;
}

}  // namespace rehearse::properties
