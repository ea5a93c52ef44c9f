#include "harness/fuzz/openapi_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

// Aliases may make a small file a large tree.
constexpr std::size_t max_nodes = 1'000'000;

json::value value_of(const YAML::Node& node, std::size_t& nodes) {
  if (++nodes > max_nodes) throw Error("it holds more than a million nodes");
  if (node.IsMap()) {
    json::object object;
    for (const auto& item : node) object[item.first.as<std::string>()] = value_of(item.second, nodes);
    return object;
  }
  if (node.IsSequence()) {
    json::array array;
    for (const auto& item : node) array.push_back(value_of(item, nodes));
    return array;
  }
  if (!node.IsScalar()) return nullptr;
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return json::string(text);  // quoted
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (text == "true" || text == "false") return text == "true";
  std::int64_t whole = 0;
  if (YAML::convert<std::int64_t>::decode(node, whole)) return whole;
  double number = 0;
  const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (numeric && YAML::convert<double>::decode(node, number)) return number;
  return json::string(text);
}

}  // namespace

std::string json_of_document(const std::string& path) {
  try {
    std::size_t nodes = 0;
    return json::serialize(value_of(YAML::LoadFile(path), nodes));  // JSON is YAML
  } catch (const YAML::BadFile&) {
    throw Error(fmt::format("cannot read the OpenAPI document {}", path));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("{}, line {}: {}", path, problem.mark.line + 1, problem.msg));
  } catch (const Error& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  }
}

}  // namespace rehearse::harness
