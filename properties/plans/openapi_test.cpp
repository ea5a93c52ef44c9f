#include "properties/plans/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/plans/drawing.h"
#include "replay/error.h"

namespace rehearse::properties {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool by_method(std::string_view method, std::string_view) { return replay::safe(method); }

const std::string shop = R"({
  "openapi": "3.0.3",
  "paths": {
    "/orders": {
      "get": {"parameters": [{"name": "status", "in": "query", "schema": {"enum": ["open", "paid"]}}], "responses": {}},
      "post": {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
        "responses": {"201": {"content": {"application/json": {"schema": {"allOf": [
          {"$ref": "#/components/schemas/Order"}, {"type": "object", "properties": {"id": {"type": "integer"}}}]}}}}}
      }
    },
    "/orders/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
      "get": {"responses": {}},
      "patch": {"requestBody": {"content": {"application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/Order"}}}}, "responses": {}}
    }
  },
  "components": {"schemas": {"Order": {
    "type": "object", "required": ["count"],
    "properties": {
      "id": {"type": "integer", "readOnly": true},
      "count": {"type": "integer", "minimum": 3},
      "note": {"type": "string", "maxLength": 4},
      "at": {"type": "string", "format": "date-time"},
      "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}
    }}}}
})";

TEST(OpenApi, OperationsAreItsPathsAndMethods) {
  const Catalogue read = operations_in_openapi(shop, by_method);
  std::vector<std::string> names;
  for (const auto& operation : read.operations) names.push_back(operation.name);
  EXPECT_THAT(names, ElementsAre("GET /orders", "GET /orders/{}", "PATCH /orders/{}", "POST /orders"));
  EXPECT_TRUE(read.named("GET /orders")->read);
  EXPECT_FALSE(read.named("PATCH /orders/{}")->read);
}

TEST(OpenApi, BodiesAreWhatTheSchemaAllows) {
  const Catalogue read = operations_in_openapi(shop, by_method);
  const auto& samples = read.named("POST /orders")->samples;
  ASSERT_EQ(samples.size(), 2U);  // what is required, and everything
  EXPECT_EQ(samples[0].request->body, R"({"count":3})");
  EXPECT_THAT(samples[1].request->body, HasSubstr(R"("note":"text")"));
  EXPECT_THAT(samples[1].request->body, HasSubstr(R"("at":"2024-01-01T00:00:00Z")"));
  EXPECT_THAT(samples[1].request->body, HasSubstr(R"("parts":[{)"));  // and a schema that holds itself ends
  EXPECT_EQ(samples[1].request->body.find("\"id\""), std::string::npos);
  EXPECT_EQ(read.named("GET /orders")->samples[1].request->target, "/orders?status=open");
}

TEST(OpenApi, WhatIsCreatedIsNamedByItsId) {
  const Catalogue read = operations_in_openapi(shop, by_method);
  EXPECT_EQ(read.named("POST /orders")->makes.at("json:/id"), "order");
  EXPECT_TRUE(read.values.at("order").reference);
  // So a plan of it alone makes orders and works on them.
  bool bound = false;
  for (std::uint64_t seed = 0; seed < 20 && !bound; ++seed)
    for (const auto& step : draw_plan(read, {}, {}, seed).steps) bound |= !step.uses.empty();
  EXPECT_TRUE(bound);
}

TEST(OpenApi, LinksSayWhatOneAnswerGivesToAnotherRequest) {
  const std::string linked = R"({"openapi": "3.1.0", "paths": {"/carts": {"put": {"responses": {"200": {
    "links": {"next": {"operationId": "x", "parameters": {"orderId": "$response.body#/made/number"}}}}}}}}})";
  EXPECT_EQ(operations_in_openapi(linked, by_method).operations.front().makes.at("json:/made/number"), "order");
}

TEST(OpenApi, WhatWasCapturedAndWhatIsDescribedStandBesideEachOther) {
  Catalogue captured;
  Operation own;
  own.name = "GET /orders/{}";
  own.samples.push_back({std::make_shared<const replay::Request>(replay::Request{"GET", "/orders/7100", {}, ""}), {}});
  captured.operations.push_back(own);
  const Catalogue both = joined(captured, operations_in_openapi(shop, by_method));
  EXPECT_EQ(both.operations.size(), 4U);
  EXPECT_EQ(both.named("GET /orders/{}")->samples.size(), 2U);
}

TEST(OpenApi, WhatIsNoDocumentIsSaidSo) {
  for (const char* bad : {"", "[]", "{}", R"({"swagger": "2.0", "paths": {}})", R"({"openapi": "3.0.0"})",
                          R"({"openapi": "3.0.0", "paths": []})"})
    EXPECT_THROW(static_cast<void>(operations_in_openapi(bad, by_method)), Error) << bad;
  // References that lead nowhere, or in a circle, are nothing.
  const std::string circle =
      R"({"openapi": "3.0.0", "paths": {"/a": {"post": {"requestBody": {"$ref": "#/components/x"}},
    "get": {"parameters": [{"$ref": "#/nowhere"}]}}}, "components": {"x": {"$ref": "#/components/x"}}})";
  EXPECT_EQ(operations_in_openapi(circle, by_method).operations.size(), 2U);
}

}  // namespace
}  // namespace rehearse::properties
