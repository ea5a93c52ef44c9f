// An OpenAPI document from a file, JSON or YAML, as the JSON that properties/plans/openapi.h reads.
#pragma once

#include <string>

namespace rehearse::harness {

// Throws Error with one sentence when the file cannot be read or is neither.
[[nodiscard]] std::string json_of_document(const std::string& path);

}  // namespace rehearse::harness
