// Operations as an OpenAPI 3 document describes them: for what no capture holds, or instead of one.
//
// Of the document are read: paths, methods, parameters in path and query, JSON request bodies, and of answers what makes an id (links, or a
// member that is named as one). Of schemas: types, formats, enums, bounds, examples, defaults, required members, $ref within the
// document, allOf, and the first of oneOf and anyOf. What else stands there (security, callbacks, other media types) is passed over.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "properties/plans/operations.h"

namespace rehearse::properties {

// `document` is JSON. Throws Error with one sentence when it is no OpenAPI 3 document. `is_read` says of a method and a path whether they
// are believed to change nothing.
[[nodiscard]] Catalogue operations_in_openapi(
    const std::string& document, const std::function<bool(std::string_view method, std::string_view path)>& is_read);

// Both together: operations that only one of them has, and of those that both have the samples, the values and what answers make.
[[nodiscard]] Catalogue joined(Catalogue captured, const Catalogue& described);

}  // namespace rehearse::properties
